"""Whether left and right may change places in pictures, as the pictures themselves tell."""

import math

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.resize import resize
from mcubuild.resolution import square

_LOOKED_AT = 2000
"""Pictures."""
_SIDE, _CELLS, _DIRECTIONS = 32, 8, 8
"""Of histograms of gradients: pixels of the picture, cells along a side, and directions that are told apart."""
_PARTS = 4
"""Of the pictures: each is recognised by what was learned from the others."""
_RIDGE = 0.1
"""Weight of the penalty, relative to the features' variance."""
_LOST, _LOST_OF_A_CLASS = 1 / 4, 1 / 2
"""Share of what is recognised, above guessing, that mirrored pictures may lose."""
_ODDS = 1000
"""To one: against chance, for a loss to be believed in."""


def survives_mirroring(pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> bool:
    """Whether mirrored pictures are recognised like others; True as well where nothing is recognised.

    If a data set has no left and right, its mirrored pictures are as likely as others, and whoever learned from some
    recognises both alike. Digits and arrows are not recognised any more, or taken for another class. What learns is a
    ridge regression on histograms of oriented gradients (Dalal and Triggs, CVPR 2005), which takes a second. A loss
    must be large, and too large for chance (sign test), over all classes or in one: one arrow among round signs counts.

    Args:
        pictures: pixels (N, R, R, C).
        labels: (N,).
    """
    chosen = np.linspace(0, len(labels) - 1, min(_LOOKED_AT, len(labels))).astype(int)
    x, y = pictures[chosen], labels[chosen]
    classes = int(y.max()) + 1
    upright, mirrored = _recognised(_gradients(x), _gradients(x[:, :, ::-1]), y, classes)
    guessed = float((np.bincount(y, minlength=classes) / len(y)).max() * len(y))
    if _clearly_fewer(upright, mirrored, guessed, _LOST, _ODDS):
        return False
    return not any(
        _clearly_fewer(upright[y == label], mirrored[y == label], 0, _LOST_OF_A_CLASS, _ODDS * classes)
        for label in range(classes)
    )


def _recognised(
    upright: NDArray[np.float64], mirrored: NDArray[np.float64], labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pictures (N,) are recognised as they are, and mirrored, from features (N, F) of the other parts."""
    mean = upright.mean(axis=0)
    spread = math.sqrt(np.square(upright - mean).sum(axis=1).mean()) or 1.0
    upright, mirrored = (upright - mean) / spread, (mirrored - mean) / spread
    targets = np.eye(classes)[labels] - 1 / classes
    part = np.random.default_rng(0).permutation(len(labels)) % _PARTS
    found = np.zeros((2, len(labels)), np.bool_)
    for held_out in range(_PARTS):
        learned, judged = upright[part != held_out], part == held_out
        penalty = _RIDGE * np.eye(learned.shape[1])
        weights = np.linalg.solve(learned.T @ learned + penalty, learned.T @ targets[part != held_out])
        for answers, features in zip(found, (upright, mirrored), strict=True):
            answers[judged] = (features[judged] @ weights).argmax(axis=1) == labels[judged]
    return found[0], found[1]


def _gradients(x: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Histograms (N, cells x cells x directions) of the directions of edges in pictures (N, R, R, C).

    Edges count by their steepness; square roots of shares keep a strong edge from drowning the others.
    """
    x = resize(np.ascontiguousarray(x), square(min(_SIDE, x.shape[1])))
    samples, side = x.shape[:2]
    padded = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    down, right = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1], padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    steepest = (down**2 + right**2).argmax(axis=3)[..., np.newaxis]
    down, right = (np.take_along_axis(slope, steepest, 3)[..., 0] for slope in (down, right))
    direction = np.round(np.arctan2(down, right) / (2 * np.pi) * _DIRECTIONS).astype(np.int64) % _DIRECTIONS
    cells = min(_CELLS, side)
    cell = np.arange(side) * cells // side
    place = ((np.arange(samples)[:, None, None] * cells + cell[:, None]) * cells + cell) * _DIRECTIONS + direction
    sums = np.bincount(place.ravel(), np.hypot(down, right).ravel(), samples * cells * cells * _DIRECTIONS)
    histograms = sums.reshape(samples, -1)
    shares: NDArray[np.float64] = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1))
    return shares


def _clearly_fewer(
    before: NDArray[np.bool_], after: NDArray[np.bool_], guessed: float, share: float, odds: int
) -> bool:
    """Whether ``after`` lost more than a ``share`` of what ``before`` has above ``guessed``, and not by chance.

    The sign test of what changed must be ``odds`` to one against that.
    """
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    if lost - won <= share * max(0.0, int(before.sum()) - guessed):
        return False
    changed = lost + won
    as_large: int = sum(math.comb(changed, count) for count in range(lost, changed + 1))
    return as_large * odds < 1 << changed
