"""The vectorised arithmetic against gemmlowp's definitions, written literally."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcubuild.ir.arithmetic import doubling_high_mul, quantize_multiplier, requantize, rounding_divide
from tests.ir.scalar import (
    multiply_by_quantized_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
EDGES = [0, 1, -1, 2, -2, 3, -3, 2**30, -(2**30), 2**30 - 1, 2**30 + 1, 2**31 - 1, -(2**31), -(2**31) + 1]


@given(INT32, st.integers(0, 2**31 - 1))
def test_doubling_high_mul_is_gemmlowps(a: int, b: int) -> None:
    assert int(doubling_high_mul(np.array(a), b)) == saturating_rounding_doubling_high_mul(a, b)


@given(INT32, st.integers(0, 31))
def test_rounding_divide_is_gemmlowps(x: int, exponent: int) -> None:
    assert int(rounding_divide(np.array(x), exponent)) == rounding_divide_by_pot(x, exponent)


def test_edges_of_both() -> None:
    for a in EDGES:
        for b in EDGES:
            if b >= 0:
                assert int(doubling_high_mul(np.array(a), b)) == saturating_rounding_doubling_high_mul(a, b), (a, b)
        for exponent in range(32):
            expected = rounding_divide_by_pot(a, exponent)
            assert int(rounding_divide(np.array(a), exponent)) == expected, (a, exponent)


def test_requantize_rounds_twice() -> None:
    generator = random.Random(1)
    cases = [(generator.randint(-(2**23), 2**23), generator.randint(2**30, 2**31 - 1)) for _ in range(20_000)]
    for shift in (-31, -12, -7, -1, 0, 3, 8):
        got = requantize(np.array([x for x, _ in cases]), np.array([m for _, m in cases]), shift)
        expected = [multiply_by_quantized_multiplier(x, m, shift) for x, m in cases]
        assert got.tolist() == expected
    # 5 / 4 = 1.25 rounds to 1 at once, but to 2.5 -> 3, then 1.5 -> 2 in two steps.
    assert int(requantize(np.array(5), 2**30, -1)) == 2


def test_requantize_broadcasts_over_channels() -> None:
    multipliers, shifts = np.array([2**30, 2**31 - 1]), np.array([1, -4])
    got = requantize(np.array([[100, 100], [-7, -7]]), multipliers, shifts)
    expected = [
        [multiply_by_quantized_multiplier(x, int(m), int(s)) for m, s in zip(multipliers, shifts, strict=True)]
        for x in (100, -7)
    ]
    assert got.tolist() == expected


@given(st.floats(2.0**-31, 2.0**30, allow_nan=False))
def test_quantize_multiplier_is_the_nearest_fixed_point_number(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert math.ldexp(multiplier, shift - 31) == pytest.approx(real, rel=2**-31)


@pytest.mark.parametrize(
    ("real", "expected"),
    [(0.0, (0, 0)), (0.5, (2**30, 0)), (1.0, (2**30, 1)), (1 - 2**-40, (2**30, 1)), (2.0**-40, (0, 0))],
)
def test_quantize_multiplier_edges(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


@pytest.mark.parametrize("real", [-0.1, math.inf, math.nan, 2.0**31])
def test_quantize_multiplier_refuses(real: float) -> None:
    with pytest.raises(ValueError, match="fixed point"):
        quantize_multiplier(real)
