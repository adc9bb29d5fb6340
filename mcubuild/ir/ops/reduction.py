"""Operators that make one element of many along some axes."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import BYTES, Graph, Levels
from mcubuild.ir.ops.base import Unary


@dataclass(frozen=True)
class MeanParameters:
    """Of Mean and Sum: output = clamp(requantize(sum + sum_offset, factor) + output_offset) to the output's type."""

    sum_offset: int
    """Minus the input's zero point, once an element."""
    factor: FixedPoint
    """Its multiplier may be below 2**30."""
    output_offset: int


@dataclass(frozen=True)
class Reduction(Unary):
    """One element of those along ``axes`` -> output of the input's shape with sizes of 1 there."""

    axes: Shape

    def output_shape(self, graph: Graph) -> Shape:
        """Sizes of 1 at the axes."""
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(graph.tensor(self.input).shape))


class Sum(Reduction):
    """Sum over ``axes``, with its own scale."""

    def factor(self, real: FixedPoint, count: int) -> FixedPoint:
        """That of the sum of ``count`` elements, from the ratio of the scales."""
        return real

    def parameters(self, graph: Graph) -> MeanParameters:
        """Offsets and the factor of a sum."""
        input_scale, input_zero = graph.scale(self.input)
        output_scale, output_zero = graph.scale(self.output)
        count = prod(graph.tensor(self.input).shape[axis] for axis in self.axes)
        bits = 8 * BYTES[graph.tensor(self.input).dtype]
        if count >= 1 << (31 - bits):
            raise ValueError(f"{type(self).__name__} of {count} elements: sums would leave 32 bits")
        factor = self.factor(FixedPoint.of(input_scale / output_scale), count)
        if factor.shift > 0 and count << (bits + factor.shift) >= 1 << 31:
            raise ValueError(
                f"{type(self).__name__}: the scale {output_scale} of {self.output!r} is too small for its input's "
                f"{input_scale}"
            )
        return MeanParameters(-input_zero * count, factor, output_zero)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Sums, requantised."""
        (x,), derived = operands, self.parameters(graph)
        sums = x.sum(axis=self.axes, keepdims=True, dtype=np.int64) + derived.sum_offset
        return np.clip(derived.factor.times(sums) + derived.output_offset, *graph.tensor(self.output).limits)


class Mean(Sum):
    """Mean over ``axes``, with its own scale."""

    def factor(self, real: FixedPoint, count: int) -> FixedPoint:
        """The division by the count is folded into the multiplier (``QuantizedMeanOrSum``)."""
        shift = min(count.bit_length() - 1, 32, 31 + real.shift)
        return FixedPoint((real.multiplier << shift) // count, real.shift - shift)


class ReduceMax(Reduction):
    """Largest element over ``axes``; the output has the input's scale."""

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The largest."""
        return np.asarray(operands[0].max(axis=self.axes, keepdims=True))


@dataclass(frozen=True)
class ArgMax(Unary):
    """Index of the first largest element along ``axis`` -> output int32 of the input's shape with size 1 there."""

    axis: int

    def output_shape(self, graph: Graph) -> Shape:
        """A size of 1 at the axis."""
        return tuple(1 if axis == self.axis else size for axis, size in enumerate(graph.tensor(self.input).shape))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The first of the largest."""
        return np.expand_dims(operands[0].argmax(axis=self.axis), self.axis)


OPERATORS = (Mean, Sum, ReduceMax, ArgMax)
