"""Operators on the elements of two tensors; sizes of 1 are repeated as in numpy."""

from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, doubling_high_mul, rounding_divide
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import INT8, Clamp, Dtype, Graph, Levels
from mcubuild.ir.ops.base import Binary, Clamping
from mcubuild.ir.transcendental import one_over_one_plus

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


@dataclass(frozen=True)
class DivParameters:
    """Of Div, with both signs changed where the divisor is negative, and 1 for a divisor of 0.

    left and right are brought to 31 bits; quotient = left * inverses[right], rounded to 31 bits, and
    output = clamp(quotient * factor, shifted by what they were shifted by and rounded + output_offset).
    """

    left_offset: int
    right_offset: int
    output_offset: int
    inverses: tuple[int, ...]
    """1 / right for right in 0 ... 255, as 2**n / right in Q0 with the n that makes it 1/2 to 1."""
    factor: FixedPoint
    clamp: Clamp


ElementwiseParameters: TypeAlias = SumParameters | MulParameters | PreluParameters | DivParameters


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
    single: bool = field(default=False, kw_only=True)
    """Whether its factor is computed in float32: LiteRT's for networks of uint8."""

    def parameters(self, graph: Graph) -> MulParameters:
        """Offsets, the factor of a product, clamp."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        precision = np.float32 if self.single else np.float64
        factor = FixedPoint.of(float(precision(left_scale) * precision(right_scale) / precision(output_scale)))
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


@dataclass(frozen=True)
class Div(Elementwise, Clamping):
    """Element-wise quotient of int8. Source: ``DivElementwise`` of TensorFlow Lite, which lets no divisor be 0."""

    clamp: Clamp = INT8

    def parameters(self, graph: Graph) -> DivParameters:
        """Source: ``CalculateOpDataDiv`` of TensorFlow Lite Micro, which divides in float32."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        ratio = np.float32(left_scale) / (np.float32(right_scale) * np.float32(output_scale))
        factor = FixedPoint.of(float(ratio))
        levels = graph.constants.get(self.right, np.arange(-128, 128)).astype(int)
        bits = int(np.abs(levels - right_zero).max()).bit_length()
        if not bits - 1 <= factor.shift <= 23:
            raise ValueError(
                f"Div: the scale {output_scale} of {self.output!r} does not go with its operands' {left_scale} and "
                f"{right_scale}; quotients would be shifted by more than 31 bits"
            )
        divisors = np.arange(256).clip(1).astype(np.int64)
        shifts = 32 - np.array([int(each).bit_length() for each in divisors])
        inverses = one_over_one_plus((divisors << shifts) - (1 << 31))
        return DivParameters(-left_zero, -right_zero, output_zero, tuple(inverses.tolist()), factor, self.within(graph))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """In 31 bits: left times the inverse of right."""
        derived = self.parameters(graph)
        left, right = (x.astype(np.int64) for x in operands)
        left, right = left + derived.left_offset, right + derived.right_offset
        left, right = np.where(right < 0, -left, left), np.maximum(np.abs(right), 1)
        room = np.where(left >= 0, 31, 32) - _bits(np.where(left >= 0, left, -2 * left - 1))
        quotient = doubling_high_mul(left << room, np.array(derived.inverses, np.int64)[right])
        shift = room + _bits(right) - 1 - derived.factor.shift
        scaled = rounding_divide(doubling_high_mul(quotient, derived.factor.multiplier), shift)
        return np.asarray(np.clip(scaled + derived.output_offset, *derived.clamp))


def _bits(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bit lengths of numbers that are not negative."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)


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


OPERATORS = (Add, Sub, Mul, Div, Maximum, Minimum, SquaredDifference, Prelu)
