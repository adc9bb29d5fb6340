"""Anchors: the sizes of boxes from which a detector's cells start, by k-means on those to train with.

Source: YOLO9000 (Redmon and Farhadi, arXiv 1612.08242), section 2, "Dimension Clusters": the distance of two sizes is
1 - intersection over union of boxes of these sizes with a common centre, so that large boxes do not count more. It is
the same for sizes in pixels and as shares of the picture.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError

_STARTS: Final = 5
"""Draws of first centres, the best result of which is kept."""
_MOST_ROUNDS: Final = 300

Sizes = NDArray[np.float64]
"""Heights and widths (N, 2)."""


def overlaps_of_sizes(one: Sizes, other: Sizes) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes of the sizes ``one`` (N, 2) and ``other`` (M, 2) on a common centre."""
    common = np.minimum(one[:, None], other[None]).prod(axis=2)
    return np.asarray(common / (one.prod(axis=1)[:, None] + other.prod(axis=1)[None] - common), np.float64)


def anchors(corners: NDArray[np.float32], count: int, seed: int) -> Sizes:
    """Heights and widths (count, 2) of anchors for boxes, from the smallest area to the largest.

    Args:
        corners: top, left, bottom, right (N, 4) of boxes that have an area.
        count: how many anchors.
        seed: of the draws of first centres.

    Raises:
        BuildError: fewer than ``count`` boxes differ in size.
    """
    sizes = corners[:, 2:].astype(np.float64) - corners[:, :2]
    different = len(np.unique(sizes, axis=0))
    if different < count:
        raise BuildError(
            f"detection.anchors: found {count} for {different} sizes of boxes to train with; allowed are as many as "
            f"there are sizes: ask for fewer anchors, or label more boxes."
        )
    rng = np.random.default_rng(seed)
    found = [_clustered(sizes, _first(sizes, count, rng)) for _ in range(_STARTS)]
    best = max(found, key=lambda centres: mean_overlap(sizes, centres))
    return best[np.lexsort((best[:, 1], best.prod(axis=1)))]


def mean_overlap(sizes: Sizes, centres: Sizes) -> float:
    """Mean over the ``sizes`` of the overlap with the best of the ``centres``: the paper's measure of anchors."""
    return float(overlaps_of_sizes(sizes, centres).max(axis=1).mean())


def _first(sizes: Sizes, count: int, rng: np.random.Generator) -> Sizes:
    """Sizes that are unlike each other: each is drawn by its squared distance to those before it (k-means++)."""
    chosen = [int(rng.integers(len(sizes)))]
    while len(chosen) < count:
        distances = 1 - overlaps_of_sizes(sizes, sizes[chosen]).max(axis=1)
        chances = np.where(distances > 1e-12, distances, 0) ** 2
        chosen.append(int(rng.choice(len(sizes), p=chances / chances.sum())))
    return sizes[chosen]


def _clustered(sizes: Sizes, centres: Sizes) -> Sizes:
    """The means of the sizes that are nearest to each centre, until none moves to another one."""
    nearest = np.full(len(sizes), -1)
    for _ in range(_MOST_ROUNDS):
        overlaps = overlaps_of_sizes(sizes, centres)
        now = overlaps.argmax(axis=1)
        if (now == nearest).all():
            break
        nearest = now
        members = np.bincount(nearest, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, sizes[:, side], len(centres)) for side in (0, 1)], axis=1)
        # A centre that nothing is nearest to stays where it is.
        centres = np.where(members[:, None] > 0, sums / np.maximum(members, 1)[:, None], centres)
    return centres
