"""Images of another height and width."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import rounding_divide
from mcubuild.ir.geometry import Pair, Shape
from mcubuild.ir.graph import Graph, Levels
from mcubuild.ir.ops.base import Unary

ONE: Final = 1 << 10
"""A whole pixel, in the fixed point that bilinear weights have."""


@dataclass(frozen=True)
class Taps:
    """The two inputs between which each output lies; int64 (output size,) all."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.int64]
    """Of ``high``, in 1/1024; the rest is that of ``low``. Beyond the edges it may be negative."""


@dataclass(frozen=True)
class Resize(Unary):
    """Height and width changed, by the nearest pixel or bilinearly: input (1, H, W, C) -> output (1, *size, C).

    Source: ``GetNearestNeighbor`` and ``ComputeInterpolationValuesInteger`` of TensorFlow Lite.
    """

    size: Pair
    method: Literal["nearest", "bilinear"]
    align_corners: bool = False
    half_pixel_centers: bool = False

    def output_shape(self, graph: Graph) -> Shape:
        """As large as asked for."""
        return (1, *self.size, graph.tensor(self.input).shape[3])

    def nearest(self, size: int, axis: int) -> NDArray[np.int64]:
        """Index of the input that each output equals: int64 (size[axis],), computed in float32 as TensorFlow Lite does.

        Args:
            size: the input's height or width.
            axis: 0 for the height, 1 for the width.
        """
        count = self.size[axis]
        corners = self.align_corners and count > 1
        scale = np.float32(size - 1) / np.float32(count - 1) if corners else np.float32(size) / np.float32(count)
        places = (np.arange(count, dtype=np.float32) + np.float32(0.5 if self.half_pixel_centers else 0)) * scale
        whole = np.floor(places)
        if self.align_corners:  # rounded, ties up
            whole += places - whole >= 0.5
        return np.asarray(np.clip(whole, 0, size - 1), np.int64)

    def bilinear(self, size: int, axis: int) -> Taps:
        """Neighbours and weights of each output; arguments as for ``nearest``."""
        count = self.size[axis]
        if self.align_corners and count > 1:
            scale = (ONE * (size - 1) + (count - 1) // 2) // (count - 1)
        else:
            scale = (ONE * size + count // 2) // count
        places = np.arange(count, dtype=np.int64) * scale
        if self.half_pixel_centers:
            places += scale // 2 - ONE // 2
        # C divides towards zero, which matters where a place lies before the first pixel.
        low = np.maximum(np.where(places >= 0, places // ONE, -(-places // ONE)), 0)
        up = places + ONE - 1
        high = np.minimum(np.where(up >= 0, up // ONE, -(-up // ONE)), size - 1)
        return Taps(low, high, places - ONE * low)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Pixels, or sums of four."""
        (x,) = operands
        if self.method == "nearest":
            rows, columns = (self.nearest(x.shape[1 + axis], axis) for axis in (0, 1))
            return x[:, rows][:, :, columns]
        y, z = (self.bilinear(x.shape[1 + axis], axis) for axis in (0, 1))
        wide = x.astype(np.int64)
        down, across = y.weight[:, None, None], z.weight[:, None]
        upper = wide[:, y.low][:, :, z.low] * (ONE - across) + wide[:, y.low][:, :, z.high] * across
        lower = wide[:, y.high][:, :, z.low] * (ONE - across) + wide[:, y.high][:, :, z.high] * across
        # The two weights have 20 fractional bits together; beyond the edges the result may wrap around int8, as in C.
        total = np.asarray(upper * (ONE - down) + lower * down, np.int64)
        return rounding_divide(total, 20).astype(np.int8)


OPERATORS = (Resize,)
