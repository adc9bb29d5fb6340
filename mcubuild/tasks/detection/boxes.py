"""Geometry of boxes: how far two are the same, and what becomes of them when their picture is varied.

Corners are (N, 4) arrays of top, left, bottom, right in any unit; those of ``Boxes`` are shares of the picture.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import Boxes

Corners = NDArray[np.float32] | NDArray[np.float64]


def areas(corners: Corners) -> NDArray[np.float64]:
    """(N,): nothing where a corner is on the wrong side of the other."""
    sides = np.maximum(corners[:, 2:].astype(np.float64) - corners[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float64)


def overlaps(one: Corners, other: Corners) -> NDArray[np.float64]:
    """Intersection over union (N, M) of each of ``one`` (N, 4) with each of ``other`` (M, 4); 0 without area."""
    first, second = one[:, None].astype(np.float64), other[None].astype(np.float64)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    common = np.maximum(sides, 0).prod(axis=2)
    union = areas(one)[:, None] + areas(other)[None] - common
    return np.asarray(common / np.where(union > 0, union, 1), np.float64)


def mirrored(boxes: Boxes) -> Boxes:
    """Those of the picture with left and right swapped."""
    top, left, bottom, right = boxes.corners.T
    return replace(boxes, corners=np.stack([top, 1 - right, bottom, 1 - left], axis=1))


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in one picture; arrays have an entry for each box."""

    corners: NDArray[np.float32]
    """(N, 4), as those of ``Boxes``."""
    classes: NDArray[np.int64]
    """Labels (N,)."""
    scores: NDArray[np.float64]
    """(N,): how sure it is, in any unit."""

    def __len__(self) -> int:
        return len(self.corners)
