"""Scales and integers: what they represent, and the corners where they could break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcubuild.ir.arithmetic import quantize_multiplier
from mcubuild.quant.scales import activation, channel_scales, weighted


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_activation_covers_the_range_and_zero(a: float, b: float) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    quantization = activation(min(a, b), max(a, b))
    scale, zero = quantization.scale[0], quantization.zero_point
    assert scale > 0
    assert scale == float(np.float32(scale))
    assert -128 <= zero <= 127
    if high - low >= 1e-6:
        assert scale * (127 - zero) >= high - 0.501 * scale - 1e-5 * abs(high)
        assert scale * (-128 - zero) <= low + 0.501 * scale + 1e-5 * abs(low)


def test_relu6_uses_all_steps() -> None:
    quantization = activation(0.0, 6.0)
    assert quantization.zero_point == -128
    assert quantization.scale[0] == pytest.approx(6 / 255)


@pytest.mark.parametrize("high", [0.0, 1e-300, 1e-9])
def test_a_tensor_that_is_always_zero_has_an_ordinary_scale(high: float) -> None:
    """With a tiny one, the factors of the layer that writes it would shift sums out of 32 bits."""
    assert activation(0.0, high).scale[0] == pytest.approx(1 / 255)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("shape", [(6, 20), (6, 5, 3, 3), (1, 7)])
def test_integers_stand_for_the_weights(bits: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, shape) * np.exp(rng.normal(0, 1, (shape[0], *(1,) * (len(shape) - 1))))
    bias = rng.normal(0, 1, shape[0])
    layer = weighted(weights, bias, channel_scales(weights, bits), 0.02, bits)
    largest = 127 if bits == 8 else 7
    assert layer.weights.dtype == np.int8
    assert layer.bias.dtype == np.int32
    assert np.abs(layer.weights).reshape(shape[0], -1).max(axis=1).tolist() == [largest] * shape[0]
    scales = np.array(layer.scales).reshape(-1, *(1,) * (len(shape) - 1))
    inside = np.abs(weights) <= 1.000001 * largest * scales
    assert inside.all() if bits == 8 else inside.mean() > 0.8
    assert (np.abs(layer.weights * scales - weights) <= 0.5001 * scales)[inside].all()
    assert np.allclose(layer.bias * 0.02 * np.array(layer.scales), bias, atol=0.02 * max(layer.scales))


def test_four_bits_clip_where_that_is_nearer() -> None:
    """Eleven small weights and one large: representing the large one exactly would cost the small ones."""
    weights = np.array([[*np.linspace(-0.4, 0.4, 60), 1.0]])
    scale = channel_scales(weights, 4)[0]
    assert scale < 1.0 / 7

    def error(at: float) -> float:
        return float(np.square(np.clip(np.round(weights / at), -7, 7) * at - weights).sum())

    assert error(scale) < 0.9 * error(1 / 7)
    assert error(scale) <= min(error(candidate) for candidate in np.linspace(0.3, 1, 15) / 7) * 1.001


def test_weights_on_a_four_bit_grid_stay_on_it() -> None:
    """What is rounded once is found again, also after each channel was multiplied by a factor of its own."""
    rng = np.random.default_rng(3)
    integers = rng.integers(-7, 8, (8, 30)).astype(np.float64)
    integers[:, 0] = 7
    factors = rng.uniform(-2, 2, (8, 1))
    weights = integers * 0.031 * factors
    layer = weighted(weights, np.zeros(8), channel_scales(weights, 4), 0.01, 4)
    assert (layer.weights == integers * np.sign(factors)).all()


@pytest.mark.parametrize("bits", [8, 4])
def test_degenerate_channels(bits: int) -> None:
    """No weights, hardly any weights, a huge bias: finite scales, biases that fit, factors that exist."""
    weights = np.array([[0.5, -0.25], [0.0, 0.0], [1e-30, 0.0], [1e-9, -1e-9], [0.5, 0.5]])
    bias = np.array([0.1, 0.7, 0.7, -3.0, 1e6])
    layer = weighted(weights, bias, channel_scales(weights, bits), 0.02, bits)
    for channel, scale in enumerate(layer.scales):
        assert np.float32(scale) > 0
        assert layer.bias[channel] * 0.02 * scale == pytest.approx(bias[channel], rel=1e-6, abs=0.0101 * scale)
        assert quantize_multiplier(0.02 * scale / 0.05)[0] > 0
    assert np.abs(layer.bias.astype(np.int64)).max() <= 2**28
    assert (weighted(np.zeros((2, 3)), np.zeros(2), np.zeros(2), 0.02, bits).weights == 0).all()
