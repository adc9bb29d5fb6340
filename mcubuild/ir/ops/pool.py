"""Pooling: one element of each window."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Padding, Pair, Rows, Shape, window_shape, windows
from mcubuild.ir.graph import INT8, Clamp, Graph, Levels
from mcubuild.ir.ops.base import Clamping, Unary


@dataclass(frozen=True)
class PoolParameters:
    """Of AveragePool2D and MaxPool2D.

    Averages are clamp(sum / elements of the window inside the input), rounded to nearest, ties away from ``origin``.
    """

    count: int
    """Elements in a window."""
    clamp: Clamp


@dataclass(frozen=True)
class Pool(Unary, Clamping):
    """Windows of an input that shares scale and zero point with the output: (1, H, W, C) -> (1, OH, OW, C)."""

    window: Pair
    stride: Pair = (1, 1)
    clamp: Clamp = INT8
    padding: Padding = (0, 0, 0, 0)

    def output_shape(self, graph: Graph) -> Shape:
        """As many pixels as there are windows."""
        shape = graph.tensor(self.input).shape
        return (1, *window_shape(shape, self.window, self.stride, self.padding), shape[3])

    def rows(self, graph: Graph) -> Rows:
        """Windows of their height."""
        return Rows(graph.tensor(self.output).shape[1], self.window[0], self.stride[0], self.padding[0])

    def inner(self) -> Self:
        """Without padding above and below."""
        return replace(self, padding=(0, 0, *self.padding[2:]))

    def parameters(self, graph: Graph) -> PoolParameters:
        """Elements of a window, clamp."""
        source, target = graph.scale(self.input), graph.scale(self.output)
        # PoolingPrepare of TensorFlow Lite Micro allows this difference.
        if abs(source[0] - target[0]) > 1e-6 or source[1] != target[1]:
            raise ValueError(
                f"{type(self).__name__}: {self.input!r} and {self.output!r} must share scale and zero point"
            )
        return PoolParameters(count=self.window[0] * self.window[1], clamp=self.within(graph))

    def _windows(self, x: NDArray[Any], outside: int) -> NDArray[Any]:
        """View (N, OH, OW, C, KH, KW) of x (N, H, W, C) with ``outside`` around it."""
        top, bottom, left, right = self.padding
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=outside)
        return windows(padded, self.window, self.stride)


@dataclass(frozen=True)
class AveragePool2D(Pool):
    """Average over the part of each window that lies inside the input; a window of (H, W) is the global average."""

    origin: int = 0
    """The level away from which ties are rounded: -128 of what was uint8."""

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Sums divided by what of the window lies inside."""
        (x,) = operands
        sums = self._windows(x.astype(np.int64) - self.origin, 0).sum(axis=(4, 5))
        counts = self._windows(np.ones((1, *x.shape[1:]), np.int64), 0).sum(axis=(4, 5))
        # C's division truncates, so adding half the count away from zero first rounds ties away from zero.
        means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts) + self.origin
        return np.asarray(np.clip(means, *self.parameters(graph).clamp))


class MaxPool2D(Pool):
    """Largest element of each window."""

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Padding is below every element."""
        (x,) = operands
        largest = self._windows(x, graph.tensor(self.input).limits[0]).max(axis=(4, 5))
        return np.asarray(np.clip(largest, *self.parameters(graph).clamp))


OPERATORS = (AveragePool2D, MaxPool2D)
