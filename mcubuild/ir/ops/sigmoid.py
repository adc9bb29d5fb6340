"""Logistic function and hyperbolic tangent of int16, interpolated linearly between the entries of a small table.

Source: the 16-bit ``Logistic`` and ``Tanh`` of TensorFlow Lite's reference kernels.
"""

from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Graph, Levels
from mcubuild.ir.ops.base import Unary


@dataclass(frozen=True)
class SigmoidParameters:
    """Of Sigmoid: (input * multiplier, rounded) >> shift is the place in the table, in 1/12288."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class Sigmoid(Unary):
    """A function of single elements, interpolated in a table: int16 input -> int16 output, scale 1/32768."""

    function: Literal["logistic", "tanh"]

    def parameters(self, graph: Graph) -> SigmoidParameters:
        """Source: ``LogisticPrepare`` and ``TanhPrepare`` of TensorFlow Lite Micro."""
        scale, _ = graph.scale(self.input)
        if graph.scale(self.output) != (1 / 32768, 0):
            raise ValueError(f"Sigmoid: {self.output!r} must have scale 1/32768 and zero point 0")
        power = round(log2(scale))
        if 2.0**power == scale and 12 + power in ((0,) if self.function == "logistic" else (0, 1)):
            return SigmoidParameters(3 << (12 + power), 0)
        multiplier, shift = scale * 4096.0 * 3.0, 0
        while multiplier <= 32767 / 2 and shift <= 30:
            multiplier, shift = 2 * multiplier, shift + 1
        if multiplier > 32767:
            raise ValueError(f"Sigmoid: the scale {scale} of {self.input!r} is too large, must be below 2.66")
        return SigmoidParameters(int(multiplier), shift)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Of x, in 1/32768; tanh(x) = 2 logistic(2 x) - 1."""
        return interpolated(operands[0].astype(np.int64), self.function, self.parameters(graph))


def interpolated(
    x: NDArray[np.int64], function: Literal["logistic", "tanh"], numbers: SigmoidParameters
) -> NDArray[np.int64]:
    """The function of elements in the range of int16, in 1/32768."""
    table = np.array(sigmoid_table(), np.int64)
    place = (x * numbers.multiplier + ((1 << numbers.shift) >> 1)) >> numbers.shift
    bits = 9 if function == "logistic" else 8
    index, rest = np.abs(place) >> bits, np.abs(place) & ((1 << bits) - 1)
    low = table[np.minimum(index, 254)]
    between = (low << bits) + rest * (table[np.minimum(index, 254) + 1] - low)
    if function == "logistic":
        value = np.where(index >= 255, 0x7FFF << 10, between)
        return np.asarray(np.where(place >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1) >> 10, np.int64)
    value = np.where(index >= 255, 0xFFFF << 8, between) - (1 << 23)
    return np.asarray(np.where(place >= 0, value + (1 << 7), -value + (1 << 7) - 1) >> 8, np.int64)


@cache
def sigmoid_table() -> tuple[int, ...]:
    """Logistic function of i / 24 in 1/65536, for i in 0 ... 255, raised by half of what interpolation lacks midway.

    The last entry is the largest number of 16 bits.
    """

    def exact(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return 65536 / (1 + np.exp(-x / 24))

    index = np.arange(255, dtype=np.float64)
    lacking = exact(index + 0.5) - (exact(index) + exact(index + 1)) / 2
    return (*np.floor(exact(index) + lacking / 2 + 0.5).astype(int).tolist(), 65535)


OPERATORS = (Sigmoid,)
