"""TensorFlow Lite's integer arithmetic, on numpy arrays.

The formulas are those of TensorFlow Lite Micro (gemmlowp's fixed-point functions with double rounding), which
CMSIS-NN reproduces; all functions are exact for the ranges that int8 networks reach.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Fixed-point form of a positive factor: real = multiplier * 2**(shift - 31), 2**30 <= multiplier < 2**31.

    Source: ``QuantizeMultiplier`` of TensorFlow Lite. 0 gives (0, 0); factors below 2**-32 round to 0.

    Raises:
        ValueError: ``real`` is negative, not finite, or 2**31 and above.
    """
    if not (0 <= real < 2.0**31):
        raise ValueError(f"factor {real} cannot be written in fixed point; it must lie in [0, 2**31)")
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    # Round half away from zero, as C's round(); Python's round() would go to even.
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def doubling_high_mul(a: NDArray[np.integer], b: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """round(a * b / 2**31), ties towards plus infinity: gemmlowp's SaturatingRoundingDoublingHighMul of int32.

    Equal to it for all operands but a = b = -2**31, which multipliers (never negative) cannot reach.
    """
    product = np.asarray(a, dtype=np.int64) * np.asarray(b, dtype=np.int64)
    product += 1 << 30
    product >>= 31
    return np.asarray(product, dtype=np.int64)


def rounding_divide(x: NDArray[np.integer], exponent: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """round(x / 2**exponent), ties away from zero: gemmlowp's RoundingDivideByPOT; exponent 0 ... 31."""
    shift = np.asarray(exponent, dtype=np.int64)
    mask = (np.int64(1) << shift) - 1
    wide = np.asarray(x, dtype=np.int64)
    # Half of 2**exponent for x >= 0, one less below 0; nothing for exponent 0. In place, as arrays are large.
    result = (wide >= 0) + mask
    result >>= 1
    result += wide
    result >>= shift
    return np.asarray(result, dtype=np.int64)


def requantize_wide(
    acc: NDArray[np.int64], multiplier: NDArray[np.integer] | int, shift: NDArray[np.integer] | int
) -> NDArray[np.int64]:
    """``acc * multiplier * 2**(shift - 31)`` for sums of 64 bits: 16 bits of the multiplier, rounded once, ties up.

    Source: ``MultiplyByQuantizedMultiplier`` of TensorFlow Lite Micro for int64, whose result is an int32.
    """
    right = 15 - np.asarray(shift, np.int64)
    product = acc.astype(np.int64) * reduced(multiplier) + (np.int64(1) << (right - 1))
    return np.asarray((product >> right).astype(np.int32), np.int64)


def reduced(multiplier: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """A multiplier of 31 bits rounded to 15, as sums of 64 bits are multiplied with."""
    return np.asarray(np.minimum((np.asarray(multiplier, np.int64) + (1 << 15)) >> 16, 2**15 - 1), np.int64)


def requantize(
    acc: NDArray[np.integer], multiplier: NDArray[np.integer] | int, shift: NDArray[np.integer] | int
) -> NDArray[np.int64]:
    """``acc * multiplier * 2**(shift - 31)`` with TensorFlow Lite's double rounding; arrays broadcast over channels."""
    amount = np.asarray(shift, dtype=np.int64)
    left, right = np.maximum(amount, 0), np.maximum(-amount, 0)
    scaled = acc.astype(np.int64) << left
    return rounding_divide(doubling_high_mul(scaled, multiplier), right)


@dataclass(frozen=True)
class FixedPoint:
    """The factor ``multiplier * 2**(shift - 31)``; ``multiplier`` is 0 or in [2**30, 2**31)."""

    multiplier: int
    shift: int

    @classmethod
    def of(cls, real: float) -> "FixedPoint":
        """That nearest to ``real``; errors as of ``quantize_multiplier``."""
        return cls(*quantize_multiplier(real))

    def times(self, acc: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """``requantize`` by this factor."""
        return requantize(acc, self.multiplier, self.shift)


def requantize_wrapped(acc: NDArray[np.int64], factor: FixedPoint) -> NDArray[np.int64]:
    """``requantize`` of sums that wrap at 32 bits, before and after they are shifted left."""
    shifted = acc.astype(np.int32).astype(np.int64) << max(factor.shift, 0)
    return requantize(shifted.astype(np.int32), factor.multiplier, min(factor.shift, 0))
