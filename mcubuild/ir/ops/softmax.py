"""Softmax and its logarithm in fixed point: exponentials from a table, one division a row.

Source: the 8-bit ``Softmax`` of TensorFlow Lite's reference kernels; ``GetReciprocal``; ``LogSoftmaxQuantized``.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, doubling_high_mul, rounding_divide
from mcubuild.ir.graph import Graph, Levels
from mcubuild.ir.ops.base import Unary
from mcubuild.ir.transcendental import exp_of_negative, logarithm, one_over_one_plus

_BITS: Final = 5
"""Integer bits of the differences that go into exp."""
_SUM_BITS: Final = 12
"""Integer bits of a sum of exponentials."""


@dataclass(frozen=True)
class SoftmaxParameters:
    """Of Softmax."""

    exponentials: tuple[int, ...]
    """exp(-d * scale * beta) in 1/2**31, by the distance d to the largest element; further off it is 0."""


@dataclass(frozen=True)
class LogSoftmaxParameters:
    """Of LogSoftmax: of the distance d to the largest element."""

    exponentials: tuple[int, ...]
    """exp(-d * scale) in 1/2**31, by d; further off it is 0, and the output the smallest."""
    factor: FixedPoint
    """From d to d * scale in 1/2**26."""
    reverse: FixedPoint
    """From there to d."""


@dataclass(frozen=True)
class Softmax(Unary):
    """Softmax of beta * input over the last axis -> output of the input's shape, scale 1/256, zero point -128."""

    beta: float = 1.0

    def parameters(self, graph: Graph) -> SoftmaxParameters:
        """The table of exponentials."""
        scale, _ = graph.scale(self.input)
        if graph.scale(self.output) != (1 / 256, -128):
            raise ValueError(f"Softmax: {self.output!r} must have scale 1/256 and zero point -128")
        return SoftmaxParameters(_exponentials(self.input, self.beta * scale)[0])

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """In 1/256 from -128 on.

        Raises:
            ValueError: a row is so long that the sum could leave 32 bits.
        """
        (x,), derived = operands, self.parameters(graph)
        powers, distance = _powers(x, derived.exponentials)
        total = rounding_divide(powers, _SUM_BITS).sum(axis=-1, keepdims=True)
        # total lies in [1, 2**12) as Q12: brought to [1, 2), its integer part dropped, as Q0.
        bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
        reciprocal = one_over_one_plus((total << (32 - bits)) - (1 << 31))
        scaled = rounding_divide(doubling_high_mul(reciprocal, powers), bits - 20 + 23)
        levels = np.clip(scaled - 128, -128, 127)
        return np.where(distance < len(derived.exponentials), levels, -128).astype(np.int8)


class LogSoftmax(Unary):
    """Logarithm of the softmax over the last axis -> output of the input's shape, scale 1/16, zero point 127."""

    def parameters(self, graph: Graph) -> LogSoftmaxParameters:
        """The table of exponentials, and factors."""
        scale, _ = graph.scale(self.input)
        if graph.scale(self.output) != (1 / 16, 127):
            raise ValueError(f"LogSoftmax: {self.output!r} must have scale 1/16 and zero point 127")
        exponentials, factor = _exponentials(self.input, scale)
        return LogSoftmaxParameters(exponentials, factor, FixedPoint.of((1 << (31 - factor.shift)) / factor.multiplier))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """In 1/16 up to 127; errors as of ``Softmax``."""
        (x,), derived = operands, self.parameters(graph)
        powers, distance = _powers(x, derived.exponentials)
        total = logarithm(rounding_divide(powers, _SUM_BITS).sum(axis=-1, keepdims=True), _SUM_BITS)
        factor, reverse = derived.factor, derived.reverse
        largest = np.minimum(len(derived.exponentials), -reverse.times(total - (1 << 31)))
        scaled = doubling_high_mul(-distance << factor.shift, factor.multiplier)
        levels = np.clip(rounding_divide(scaled - total, 22) + 127, -128, 127)
        return np.where(distance < largest, levels, -128).astype(np.int8)


def _exponentials(name: str, scale: float) -> tuple[tuple[int, ...], FixedPoint]:
    """exp(-d * scale) in 1/2**31 for each distance d that counts, and the factor from d to d * scale in 1/2**26."""
    real = min(scale * (1 << (31 - _BITS)), 2.0**31 - 1)
    if real <= 1:
        raise ValueError(f"softmax of {name!r}: its scale, times beta, {scale}, is too small")
    factor = FixedPoint.of(real)
    radius = (((1 << _BITS) - 1) << (31 - _BITS)) >> factor.shift
    distances = np.arange(min(radius, 255) + 1, dtype=np.int64)
    scaled = doubling_high_mul(-distances << factor.shift, factor.multiplier)
    return tuple(exp_of_negative(scaled, _BITS).tolist()), factor


def _powers(x: Levels, exponentials: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The exponential of each element's distance to the largest of its row, and the distances."""
    if x.shape[-1] >= 1 << _SUM_BITS:
        raise ValueError(f"Softmax of {x.shape[-1]} elements; at most {(1 << _SUM_BITS) - 1} can be summed")
    table = np.zeros(256, np.int64)
    table[: len(exponentials)] = exponentials
    wide = x.astype(np.int64)
    distance = wide.max(axis=-1, keepdims=True) - wide
    return table[distance], distance


OPERATORS = (Softmax, LogSoftmax)
