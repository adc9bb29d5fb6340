"""Operators on the elements of two tensors; sizes of 1 are repeated as in numpy."""

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import INT8, Clamp, Dtype, Graph, Levels
from mcubuild.ir.ops.base import Binary, Clamping

_MOST_ENLARGED: Final = {"int8": 14, "int16": 0}
"""Bits by which a product of two operands (16 bits and a sign, or 30 of them) can be shifted left."""


@dataclass(frozen=True)
class SumParameters:
    """Of Add, Sub and SquaredDifference.

    sum = requantize((left + left_offset) << left_shift, left) + requantize((right + right_offset) << left_shift, right)
    output = clamp(requantize(sum, output) + output_offset); no factor has a positive shift. Sub takes the difference,
    SquaredDifference the square of that.
    """

    left_offset: int
    right_offset: int
    output_offset: int
    left_shift: int
    left: FixedPoint
    right: FixedPoint
    output: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class MulParameters:
    """Of Mul: clamp(requantize((left + left_offset) * (right + right_offset), factor) + output_offset)."""

    left_offset: int
    right_offset: int
    output_offset: int
    factor: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class PreluParameters:
    """Of Prelu: x = left + left_offset, and where it is negative x * (right + right_offset).

    output = clamp(requantize(x, kept or leaked) + output_offset).
    """

    left_offset: int
    right_offset: int
    output_offset: int
    kept: FixedPoint
    leaked: FixedPoint
    clamp: Clamp


ElementwiseParameters: TypeAlias = SumParameters | MulParameters | PreluParameters


class Elementwise(Binary):
    """Operators with two operands -> output of the joint shape."""

    def output_shape(self, graph: Graph) -> Shape:
        """The joint shape."""
        left, right = (graph.tensor(name).shape for name in self.operands)
        try:
            return np.broadcast_shapes(left, right)
        except ValueError:
            raise ValueError(
                f"{type(self).__name__} of {self.left!r} {left} and {self.right!r} {right}: shapes differ"
            ) from None

    def parameters(self, graph: Graph) -> ElementwiseParameters | None:
        """None where elements are compared as they are."""
        return None


class _Sum(Elementwise):
    """Operators that bring their operands to one scale first."""

    enlarged: ClassVar[dict[Dtype, int]] = {"int8": 20, "int16": 15}
    """Bits by which operands are enlarged before they are rescaled (``CalculateOpDataAdd``)."""
    power: ClassVar[int] = 1
    """Of the joint scale in the result."""

    def limits(self, graph: Graph) -> Clamp:
        """What the result is clamped to."""
        return graph.tensor(self.output).limits

    def parameters(self, graph: Graph) -> SumParameters:
        """Source: ``CalculateOpDataAdd``, ``SquaredDifferencePrepare`` of TensorFlow Lite Micro."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        twice_largest = 2 * max(left_scale, right_scale)
        shift = self.enlarged[graph.tensor(self.output).dtype]
        output = FixedPoint.of(prod([twice_largest] * self.power) / ((1 << self.power * shift) * output_scale))
        if output.shift > 0:
            raise ValueError(
                f"{type(self).__name__}: the scale {output_scale} of {self.output!r} is too small for its operands' "
                f"{twice_largest / 2}"
            )
        return SumParameters(
            left_offset=-left_zero,
            right_offset=-right_zero,
            output_offset=output_zero,
            left_shift=shift,
            left=FixedPoint.of(left_scale / twice_largest),
            right=FixedPoint.of(right_scale / twice_largest),
            output=output,
            clamp=self.limits(graph),
        )

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Both enlarged, rescaled, joined and rescaled again."""
        left, right = operands
        derived = self.parameters(graph)
        first = derived.left.times((left.astype(np.int64) + derived.left_offset) << derived.left_shift)
        second = derived.right.times((right.astype(np.int64) + derived.right_offset) << derived.left_shift)
        return np.clip(derived.output.times(self.joined(first, second)) + derived.output_offset, *derived.clamp)

    def joined(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """The operands, at one scale, made one."""
        return left - right


@dataclass(frozen=True)
class Add(_Sum, Clamping):
    """Element-wise sum."""

    clamp: Clamp = INT8

    def limits(self, graph: Graph) -> Clamp:
        """The fused activation."""
        return self.within(graph)

    def joined(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their sum."""
        return left + right


@dataclass(frozen=True)
class Sub(_Sum, Clamping):
    """Element-wise left - right."""

    clamp: Clamp = INT8

    def limits(self, graph: Graph) -> Clamp:
        """The fused activation."""
        return self.within(graph)


class SquaredDifference(_Sum):
    """Element-wise (left - right)**2."""

    enlarged: ClassVar[dict[Dtype, int]] = {"int8": 7, "int16": 0}  # squares still fit 32 bits
    power: ClassVar[int] = 2

    def joined(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """The square of their difference."""
        return (left - right) * (left - right)


@dataclass(frozen=True)
class Mul(Elementwise, Clamping):
    """Element-wise product."""

    clamp: Clamp = INT8

    def parameters(self, graph: Graph) -> MulParameters:
        """Offsets, the factor of a product, clamp."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        factor = FixedPoint.of(left_scale * right_scale / output_scale)
        if factor.shift > _MOST_ENLARGED[graph.tensor(self.output).dtype]:
            raise ValueError(
                f"Mul: the scale {output_scale} of {self.output!r} is too small for the product of its operands' "
                f"{left_scale * right_scale}; products would leave 32 bits"
            )
        return MulParameters(-left_zero, -right_zero, output_zero, factor, self.within(graph))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The product, requantised."""
        left, right = operands
        derived = self.parameters(graph)
        product = (left.astype(np.int64) + derived.left_offset) * (right.astype(np.int64) + derived.right_offset)
        return np.clip(derived.factor.times(product) + derived.output_offset, *derived.clamp)


class Maximum(Elementwise):
    """Element-wise larger one of two tensors of one scale and zero point."""

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The larger ones."""
        return np.asarray(np.maximum(*operands))


class Minimum(Elementwise):
    """Element-wise smaller one of two tensors of one scale and zero point."""

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The smaller ones."""
        return np.asarray(np.minimum(*operands))


class Prelu(Elementwise):
    """Left, times right where left is negative."""

    def parameters(self, graph: Graph) -> PreluParameters:
        """Offsets, and the factors above and below zero."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        kept = FixedPoint.of(left_scale / output_scale)
        leaked = FixedPoint.of(left_scale * right_scale / output_scale)
        if kept.shift > 22 or leaked.shift > _MOST_ENLARGED["int8"]:
            raise ValueError(f"Prelu: the scale {output_scale} of {self.output!r} is too small for its operands'")
        limits = graph.tensor(self.output).limits
        return PreluParameters(-left_zero, -right_zero, output_zero, kept, leaked, limits)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Each element by its sign."""
        left, right = operands
        derived = self.parameters(graph)
        x = left.astype(np.int64) + derived.left_offset
        below = derived.leaked.times(x * (right.astype(np.int64) + derived.right_offset))
        levels = np.where(x >= 0, derived.kept.times(x), below) + derived.output_offset
        return np.asarray(np.clip(levels, *derived.clamp))


OPERATORS = (Add, Sub, Mul, Maximum, Minimum, SquaredDifference, Prelu)
