"""Samples divided into training, validation and test splits, each by its own content.

A sample's place in a split's draw is a hash of its content, the split and the seed, a number u that is as good as
drawn evenly from 0 ... 1. It is a test sample where u is below the split's fraction, and so for validation among the
rest. So what becomes of a sample does not depend on the other samples, on their names or on their order: whoever adds
ten photos moves none of the others, and identical files are never drawn apart. The shares of splits and classes are
therefore those of a draw, not exact ones.

The one exception is what a split would otherwise lack: of each class at least one sample, the one with the smallest u,
is held out, and at least one, that with the largest, is left to train with.

Which samples are kept where a class may have only so many to learn from is drawn in the same way: those with the
smallest u. So fewer are a part of more, and the test split is the same for any number.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError


def partition(
    contents: Sequence[str],
    labels: NDArray[np.int64],
    given: Sequence[str | None],
    groups: Sequence[str] | None,
    classes: Sequence[str],
    held_out: Mapping[str, float | int],
    seed: int,
    *,
    most: int | None = None,
    draw: int = 0,
) -> dict[str, NDArray[np.int64]]:
    """The samples of the splits train, val and test, as ascending indexes; those that are ``given`` stay as they are.

    Args:
        contents: of each sample, what stands for its content, such as a digest; equal for copies.
        labels: of all samples (N,).
        given: the split of each sample, or None where it is to be drawn; ``train`` stands for None where another
            split is missing.
        groups: of each sample; those of a group are never drawn apart: it is the group's name that is hashed. None:
            each content for itself.
        classes: names by label.
        held_out: what ``test`` gets of the samples, and ``val`` of the training samples (without the test samples), if
            it is not given: a share, or (``int``) how many, of each class in proportion, and fewer where ``most``
            leaves fewer to draw from.
        seed: of the draw.
        most: samples of a class that ``train`` and ``val`` may have together; None: all. Given splits keep their
            shares.
        draw: of which samples these are; another number takes others.

    Raises:
        BuildError: a class has, or there are, too few samples for every split.
    """
    of = np.array([split or "train" for split in given])
    missing = [name for name in ("test", "val") if not (of == name).any()]
    check_enough(contents, labels, np.flatnonzero(of == "train"), len(missing), classes)
    drawn = contents if groups is None else groups
    part = 1.0
    for name in ("test", "val"):
        if name in missing:
            rest = np.flatnonzero(of == "train")
            # A split that follows must still find something for itself and for training.
            keep = len(missing) - missing.index(name)
            if groups is not None:
                _check_groups([groups[index] for index in rest.tolist()], keep)
            u = np.array([_place(seed, name, drawn[index]) for index in rest.tolist()])
            # A group's samples may be of every class: groups are counted without regard to classes.
            among = np.zeros(len(rest), np.int64) if groups is not None else labels[rest]
            wanted = held_out[name]
            wanted = wanted if isinstance(wanted, float) else round(part * wanted)
            for label, amount in _amounts(wanted, among).items():
                members = rest[among == label]
                of[members[_lowest(u[among == label], amount, keep)]] = name
        if name == "test" and most is not None:
            whole = (of == "train").sum()
            for label in range(len(classes)):
                of[_beyond(of, np.flatnonzero(labels == label), contents, most, f"samples {draw}", seed)] = ""
            part = (of == "train").sum() / whole
    check_enough(contents, labels, np.flatnonzero(of == "train"), 0, classes)
    return {name: np.flatnonzero(of == name) for name in ("train", "val", "test")}


def _place(seed: int, split: str, what: str) -> float:
    """A number 0 ... 1 that is evenly distributed over contents, and independent between splits and seeds."""
    digest = hashlib.sha256(f"{seed} {split} {what}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _amounts(amount: float | int, labels: NDArray[np.int64]) -> dict[int, float | int]:
    """What is held out of each class of ``labels`` (N,): the share, or its part of the number by largest remainders."""
    classes, sizes = np.unique(labels, return_counts=True)
    if isinstance(amount, float):
        return dict.fromkeys(classes.tolist(), amount)
    exact = amount * sizes / sizes.sum()
    numbers = exact.astype(np.int64)
    numbers[np.argsort(numbers - exact, kind="stable")[: amount - int(numbers.sum())]] += 1
    return dict(zip(classes.tolist(), numbers.tolist(), strict=True))


def _lowest(u: NDArray[np.float64], amount: float | int, keep: int) -> NDArray[np.bool_]:
    """Mask (N,) of the places ``u`` (N,) below a share, or of the lowest so many and their copies: at least one, but
    leaving ``keep`` that differ.
    """
    places = np.unique(u)
    below = places < amount if isinstance(amount, float) else places <= np.sort(u)[max(0, min(amount, len(u)) - 1)]
    count = min(max(1, int(below.sum())), len(places) - keep)
    return np.isin(u, places[: max(0, count)])


def _beyond(
    of: NDArray[np.str_], members: NDArray[np.int64], contents: Sequence[str], most: int, draw: str, seed: int
) -> list[int]:
    """Those of a class's ``members`` (indexes) that are more than ``most`` to train with and validate by.

    Splits that were given keep their shares, but for one sample at least of each. Copies go before what is different.
    """
    splits = [members[of[members] == name].tolist() for name in ("train", "val")]
    total = sum(map(len, splits))
    if total <= most:
        return []
    val = min(max(1, round(most * len(splits[1]) / total)), most - 1) if splits[1] else 0
    beyond: list[int] = []
    for split, count in zip(splits, (most - val, val), strict=True):
        seen, places = Counter[str](), {}
        for index in split:
            places[index] = seen[contents[index]], _place(seed, draw, contents[index])
            seen[contents[index]] += 1
        beyond += sorted(split, key=places.__getitem__)[count:]
    return beyond


def check_enough(
    contents: Sequence[str], labels: NDArray[np.int64], rest: NDArray[np.int64], splits: int, classes: Sequence[str]
) -> None:
    """See that every class has a sample among ``rest`` for training, and one for each of so many other ``splits``.

    Args:
        contents: of all samples; copies count once.
        labels: of all samples (N,).
        rest: indexes of those to train with, and to draw other splits from.
        splits: how many of these.
        classes: names by label.

    Raises:
        BuildError: a class has too few.
    """
    samples = np.bincount(labels[rest], minlength=len(classes))
    different = np.zeros(len(classes), np.int64)
    for label, _ in {(labels[index], contents[index]) for index in rest.tolist()}:
        different[label] += 1
    smallest = int(different.argmin())
    if different[smallest] <= splits:
        found, copies = different[smallest], samples[smallest] - different[smallest]
        raise BuildError(
            f"class {classes[smallest]!r} has {found} samples to train from{f' and {copies} copies' if copies else ''};"
            f" at least {splits + 1} are needed, so that every split has one: add samples, give val and test fewer, "
            f"or remove the class."
        )


def _check_groups(groups: Sequence[str], keep: int) -> None:
    names = sorted(set(groups))
    if len(names) <= keep:
        raise BuildError(
            f"dataset.group: found {len(names)} groups ({', '.join(names)}) to draw splits from; at least {keep + 1} "
            f"are needed, so that every split has one: add some, or leave dataset.group out."
        )
