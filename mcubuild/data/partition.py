"""Samples divided into training, validation and test splits, with equal shares of every class."""

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Split
from mcubuild.errors import BuildError


def partition(
    given: dict[str, Split], classes: tuple[str, ...], val_fraction: float, test_fraction: float, seed: int
) -> dict[str, Split]:
    """The splits train, val and test, in this order; those that are ``given`` are taken as they are.

    Args:
        given: ``{"all": ...}``, or ``train`` with or without ``val`` and ``test``.
        classes: names by label.
        val_fraction: share of the training samples (without the test samples) that ``val`` gets if it is not given.
        test_fraction: share of the samples that ``test`` gets if it is not given.
        seed: of the draw.

    Raises:
        BuildError: a class has too few samples to be in every split.
    """
    rest = given["all"] if "all" in given else given["train"]
    missing = [name for name in ("test", "val") if name not in given]
    counts = np.bincount(rest.y, minlength=len(classes))
    smallest = int(counts.argmin())
    if counts[smallest] <= len(missing):
        raise BuildError(
            f"class {classes[smallest]!r} has {counts[smallest]} images to train from; at least {len(missing) + 1} "
            f"are needed, so that every split has one: add images or remove the class."
        )
    generator = np.random.default_rng(seed)
    splits = dict(given)
    for name in missing:
        # A split that follows must still find a sample for itself and one for training.
        keep = len(missing) - missing.index(name)
        held = _draw(rest.y, test_fraction if name == "test" else val_fraction, keep, generator)
        splits[name] = Split(rest.x[held], rest.y[held])
        rest = Split(rest.x[~held], rest.y[~held])
    return {"train": rest, "val": splits["val"], "test": splits["test"]}


def _draw(labels: NDArray[np.int64], fraction: float, keep: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of a ``fraction`` of each class, at least one sample and leaving at least ``keep``; order is kept."""
    held = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        held[members[: min(max(1, round(fraction * len(members))), len(members) - keep)]] = True
    return held
