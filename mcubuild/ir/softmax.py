"""Softmax and its logarithm in fixed point: exponentials from a table, one division a row.

Source: the 8-bit ``Softmax`` of TensorFlow Lite's reference kernels; ``GetReciprocal``.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import doubling_high_mul, requantize, rounding_divide
from mcubuild.ir.graph import Levels
from mcubuild.ir.parameters import LogSoftmaxParameters, SoftmaxParameters
from mcubuild.ir.transcendental import logarithm, one_over_one_plus

SUM_BITS: Final = 12
"""Integer bits of a sum of exponentials."""


def logarithms(x: Levels, derived: LogSoftmaxParameters) -> NDArray[np.int8]:
    """Logarithm of the softmax over the last axis of x, in 1/16 up to 127; int8 of the same shape.

    Source: ``LogSoftmaxQuantized`` of TensorFlow Lite's reference kernels.

    Raises:
        ValueError: a row is so long that the sum could leave 32 bits.
    """
    powers, distance = _powers(x, derived.exponentials)
    total = logarithm(rounding_divide(powers, SUM_BITS).sum(axis=-1, keepdims=True), SUM_BITS)
    factor, reverse = derived.factor, derived.reverse
    largest = np.minimum(len(derived.exponentials), -requantize(total - (1 << 31), reverse.multiplier, reverse.shift))
    scaled = doubling_high_mul(-distance << factor.shift, factor.multiplier)
    levels = np.clip(rounding_divide(scaled - total, 22) + 127, -128, 127)
    return np.where(distance < largest, levels, -128).astype(np.int8)


def _powers(x: Levels, exponentials: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The exponential of each element's distance to the largest of its row, and the distances."""
    if x.shape[-1] >= 1 << SUM_BITS:
        raise ValueError(f"Softmax of {x.shape[-1]} elements; at most {(1 << SUM_BITS) - 1} can be summed")
    table = np.zeros(256, np.int64)
    table[: len(exponentials)] = exponentials
    wide = x.astype(np.int64)
    distance = wide.max(axis=-1, keepdims=True) - wide
    return table[distance], distance


def probabilities(x: Levels, derived: SoftmaxParameters) -> NDArray[np.int8]:
    """Softmax over the last axis of x, in 1/256 from -128 on; int8 of the same shape.

    Raises:
        ValueError: a row is so long that the sum could leave 32 bits.
    """
    powers, distance = _powers(x, derived.exponentials)
    total = rounding_divide(powers, SUM_BITS).sum(axis=-1, keepdims=True)
    # total lies in [1, 2**12) as Q12: brought to [1, 2), its integer part dropped, as Q0.
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    reciprocal = one_over_one_plus((total << (32 - bits)) - (1 << 31))
    scaled = rounding_divide(doubling_high_mul(reciprocal, powers), bits - 20 + 23)
    levels = np.clip(scaled - 128, -128, 127)
    return np.where(distance < len(derived.exponentials), levels, -128).astype(np.int8)
