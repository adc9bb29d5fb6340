"""exp, 1 / (1 + x), logistic and tanh in 32-bit fixed point, as gemmlowp defines them; on arrays of raw int64 values.

A Qm number has m integer bits: raw / 2**(31 - m). Products of Qa and Qb are Qa+b (``doubling_high_mul``). Formulas:
a Taylor polynomial around -1/8 and a product of powers of e for exp, three Newton steps for the division.
Source: gemmlowp, fixedpoint/fixedpoint.h.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import doubling_high_mul, rounding_divide

Raw = NDArray[np.int64]

ONE: Final = 2**31 - 1
"""1 in Q0, or the nearest to it."""
_EXP_MINUS_EIGHTH: Final = 1895147668
_THIRD: Final = 715827883
_EXP_OF_MINUS_POWER: Final = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
"""exp(-2**k) in Q0, by k."""
_48_OVER_17: Final = 1515870810
_32_OVER_17: Final = 1010580540
"""Both in Q2: the line from which Newton's division starts."""


def _shifted_left(x: Raw, bits: int | Raw) -> Raw:
    """X * 2**bits, saturated to 32 bits."""
    return np.asarray(np.clip(x << bits, -(2**31), 2**31 - 1), np.int64)


_SQRT_HALF: Final = 1518500250
"""1 / sqrt(2) in Q0."""


def inverse_root(x: int) -> tuple[int, int]:
    """1 / sqrt(x) for x >= 0 as the factor multiplier * 2**(shift - 31); 0 counts as 1.

    Source: ``GetInvSqrtQuantizedMultiplierExp`` of TensorFlow Lite: five Newton steps on Q3 numbers.
    """
    if x <= 1:
        return ONE, 0
    right = 11
    while x >= 1 << 29:
        x //= 4
        right += 1
    pairs = (31 - x.bit_length()) // 2 - 1
    right -= pairs
    value = np.asarray(x << 2 * pairs >> 1, np.int64)
    half = rounding_divide(value, 1)
    root = np.asarray(np.int64(1 << 28))
    for _ in range(5):
        cube = _shifted_left(doubling_high_mul(doubling_high_mul(root, root), root), 6)
        three_halves = doubling_high_mul(root, (1 << 28) + (1 << 27))
        root = _shifted_left(three_halves - doubling_high_mul(half, cube), 3)
    multiplier = int(doubling_high_mul(root, _SQRT_HALF))
    return (multiplier << -right, 0) if right < 0 else (multiplier, -right)


def exp_of_negative(x: Raw, integer_bits: int) -> Raw:
    """exp(x) in Q0 for x <= 0 in Q<integer_bits>; at most 5 integer bits."""
    quarter = 1 << (29 - integer_bits)
    rest = (x & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_of_quarter(_shifted_left(rest, integer_bits))
    whole = rest - x
    for power, factor in _EXP_OF_MINUS_POWER.items():
        if power < integer_bits:
            bit = 1 << (31 - integer_bits + power)
            result = np.where(whole & bit, doubling_high_mul(result, factor), result)
    return np.where(x == 0, ONE, result)


def _exp_of_quarter(x: Raw) -> Raw:
    """exp(x) in Q0 for x in [-1/4, 0)."""
    x = x + (1 << 28)
    square = doubling_high_mul(x, x)
    cube, fourth = doubling_high_mul(square, x), doubling_high_mul(square, square)
    tail = doubling_high_mul(rounding_divide(fourth, 2) + cube, _THIRD) + square
    return _EXP_MINUS_EIGHTH + doubling_high_mul(x + rounding_divide(tail, 1), _EXP_MINUS_EIGHTH)


def _newton(x: Raw) -> Raw:
    """2 / (1 + x) in Q2 for x in [0, 1] in Q0."""
    total = x + ONE
    half = (total + np.where(total >= 0, 1, -1)) // 2  # never negative
    result = _48_OVER_17 + doubling_high_mul(half, -_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half, result)
        result = result + _shifted_left(doubling_high_mul(result, error), 2)
    return result


def one_over_one_plus(x: Raw) -> Raw:
    """1 / (1 + x) in Q0 for x in [0, 1] in Q0."""
    return _shifted_left(_newton(x), 1)


_LN_2: Final = 1488522236
_FOURTH_ROOT_OF_HALF: Final = 1805811301
_QUARTER_Q6: Final = 1 << 23
_NUMERATOR: Final = 117049297
_DENOMINATOR: Final = (1057819769, 127690142, 638450708)
"""ln 2, (1/2)**(1/4), and the coefficients of a rational function around it: 11/240 * 2**(1/4), and
2 / 2**(1/4) - 2**(1/4), 2**(1/4) / 20, 2**(1/4) / 4; all in Q0 but for 1/4, in Q6."""


def logarithm(x: Raw, integer_bits: int) -> Raw:
    """ln(x) in Q5 for x >= 1 in Q<integer_bits>.

    Source: ``log_x_for_x_greater_than_or_equal_to_1_impl`` of TensorFlow Lite: of two ways to write x as a power of two
    and a rest near (1/2)**(1/4), the one with the smaller rest.
    """

    def zeros(value: Raw) -> Raw:
        return 32 - np.frexp(value.astype(np.float64))[1].astype(np.int64)

    first = zeros(x)
    rest = _shifted_left(doubling_high_mul(_shifted_left(x, first - 1), _SQRT_HALF), 1)
    power = ((integer_bits - first) << 25) + _QUARTER_Q6
    second = zeros(doubling_high_mul(x, _SQRT_HALF)) - 1
    rest = np.minimum(rest, _shifted_left(x, second))
    power = np.maximum(power, ((integer_bits - second) << 25) - _QUARTER_Q6)
    middle = (rest + _FOURTH_ROOT_OF_HALF + 1) >> 1
    off = 2 * (rest - _FOURTH_ROOT_OF_HALF)
    square = doubling_high_mul(off, off)
    numerator = doubling_high_mul(off, rest) + doubling_high_mul(doubling_high_mul(off, square), _NUMERATOR)
    slope = _DENOMINATOR[0] + off + doubling_high_mul(square, _DENOMINATOR[1])
    denominator = doubling_high_mul(middle, slope) + doubling_high_mul(off, _DENOMINATOR[2])
    scaled = doubling_high_mul(rounding_divide(numerator, 6), one_over_one_plus(denominator))
    return _shifted_left(doubling_high_mul(power, _LN_2) + scaled, 1)


def logistic(x: Raw, integer_bits: int) -> Raw:
    """1 / (1 + exp(-x)) in Q0 for x in Q<integer_bits>."""
    positive = one_over_one_plus(exp_of_negative(-np.abs(x), integer_bits))
    return np.where(x == 0, 1 << 30, np.where(x > 0, positive, ONE - positive))


def tanh(x: Raw, integer_bits: int) -> Raw:
    """Hyperbolic tangent in Q0 for x in Q<integer_bits>."""
    # The same bits, read as Q<integer_bits + 1>, are twice the number.
    power = exp_of_negative(-np.abs(x), integer_bits + 1)
    result = _shifted_left(_newton(power) - (1 << 29), 2)
    return np.where(x == 0, 0, np.where(x < 0, -result, result))
