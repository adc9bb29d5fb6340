"""Samples divided into training, validation and test splits, with equal shares of every class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError


def partition(
    labels: NDArray[np.int64],
    given: Sequence[str | None],
    groups: Sequence[str] | None,
    classes: Sequence[str],
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> dict[str, NDArray[np.int64]]:
    """The samples of the splits train, val and test, as ascending indexes; those that are ``given`` stay as they are.

    Args:
        labels: of all samples (N,).
        given: the split of each sample, or None where it is to be drawn; ``train`` stands for None where another
            split is missing.
        groups: of each sample; those of a group are never drawn apart. None: each sample for itself, and equal shares
            of every class.
        classes: names by label.
        val_fraction: share of the training samples (without the test samples) that ``val`` gets if it is not given.
        test_fraction: share of the samples that ``test`` gets if it is not given.
        seed: of the draw.

    Raises:
        BuildError: a class has, or there are, too few samples for every split.
    """
    of = np.array([split or "train" for split in given])
    missing = [name for name in ("test", "val") if not (of == name).any()]
    rest = np.flatnonzero(of == "train")
    _check_enough(labels[rest], len(missing), classes)
    generator = np.random.default_rng(seed)
    for name in missing:
        # A split that follows must still find something for itself and for training.
        keep = len(missing) - missing.index(name)
        fraction = test_fraction if name == "test" else val_fraction
        if groups is None:
            held = _draw(labels[rest], fraction, keep, generator)
        else:
            held = _draw_groups([groups[index] for index in rest.tolist()], fraction, keep, generator)
        of[rest[held]] = name
        rest = rest[~held]
    _check_enough(labels[rest], 0, classes)
    return {name: np.flatnonzero(of == name) for name in ("train", "val", "test")}


def _check_enough(labels: NDArray[np.int64], splits: int, classes: Sequence[str]) -> None:
    """Every class must have a sample for training and one for each of so many other ``splits``."""
    counts = np.bincount(labels, minlength=len(classes))
    smallest = int(counts.argmin())
    if counts[smallest] <= splits:
        raise BuildError(
            f"class {classes[smallest]!r} has {counts[smallest]} samples to train from; at least {splits + 1} "
            f"are needed, so that every split has one: add samples, give val and test fewer, or remove the class."
        )


def _draw(labels: NDArray[np.int64], fraction: float, keep: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of a ``fraction`` of each class, at least one sample and leaving at least ``keep``."""
    held = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        held[members[: min(max(1, round(fraction * len(members))), len(members) - keep)]] = True
    return held


def _draw_groups(
    groups: Sequence[str], fraction: float, keep: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Mask of whole groups whose samples come nearest to ``fraction``: at least one, leaving at least ``keep``."""
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) <= keep:
        raise BuildError(
            f"dataset.group: found {len(names)} groups ({', '.join(names)}) to draw splits from; at least {keep + 1} "
            f"are needed, so that every split has one: add some, or leave dataset.group out."
        )
    order = generator.permutation(len(names))
    distance = np.abs(np.cumsum(sizes[order]) - fraction * len(groups))
    taken = 1 + int(distance[: len(names) - keep].argmin())
    return np.isin(number, order[:taken])
