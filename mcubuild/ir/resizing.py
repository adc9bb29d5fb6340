"""Which pixels a resized image takes its values from: along one axis, for both operators that resize.

Source: ``GetNearestNeighbor`` and ``ComputeInterpolationValuesInteger`` of TensorFlow Lite.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Resize

ONE: Final = 1 << 10
"""A whole pixel, in the fixed point that bilinear weights have."""


@dataclass(frozen=True)
class Taps:
    """The two inputs between which each output lies; int64 (output size,) all."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.int64]
    """Of ``high``, in 1/1024; the rest is that of ``low``. Beyond the edges it may be negative."""


def nearest(op: Resize, size: int, axis: int) -> NDArray[np.int64]:
    """Index of the input that each output equals: int64 (op.size[axis],), computed in float32 as TensorFlow Lite does.

    Args:
        op: how to resize.
        size: the input's height or width.
        axis: 0 for the height, 1 for the width.
    """
    count = op.size[axis]
    corners = op.align_corners and count > 1
    scale = np.float32(size - 1) / np.float32(count - 1) if corners else np.float32(size) / np.float32(count)
    places = (np.arange(count, dtype=np.float32) + np.float32(0.5 if op.half_pixel_centers else 0)) * scale
    whole = np.floor(places)
    if op.align_corners:  # rounded, ties up
        whole += places - whole >= 0.5
    return np.asarray(np.clip(whole, 0, size - 1), np.int64)


def bilinear(op: Resize, size: int, axis: int) -> Taps:
    """Neighbours and weights of each output; arguments as for ``nearest``."""
    count = op.size[axis]
    if op.align_corners and count > 1:
        scale = (ONE * (size - 1) + (count - 1) // 2) // (count - 1)
    else:
        scale = (ONE * size + count // 2) // count
    places = np.arange(count, dtype=np.int64) * scale
    if op.half_pixel_centers:
        places += scale // 2 - ONE // 2
    # C divides towards zero, which matters where a place lies before the first pixel.
    low = np.maximum(np.where(places >= 0, places // ONE, -(-places // ONE)), 0)
    up = places + ONE - 1
    high = np.minimum(np.where(up >= 0, up // ONE, -(-up // ONE)), size - 1)
    return Taps(low, high, places - ONE * low)
