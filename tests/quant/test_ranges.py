"""Observed ranges against all values at once."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.ir.graph import INT4
from mcubuild.quant.ranges import TAIL, observe
from mcubuild.quant.scales import activation


class Doubler(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x - 0.5


def network() -> nn.Sequential:
    return nn.Sequential(Doubler(), nn.ReLU6())


def samples(count: int) -> Split:
    """Pixels near 100 of 255, but for one black and one white pixel in all."""
    x = np.random.default_rng(0).integers(90, 111, (count, 8, 8, 1)).astype(np.uint8)
    x[0, 0, 0], x[-1, 0, 0] = 0, 255
    return Split(x, np.zeros(count, np.int64))


def test_minmax_sees_every_batch() -> None:
    ranges = observe(network(), ["0", "1"], samples(600), "minmax")
    assert ranges["0"] == pytest.approx((-0.5, 1.5))
    assert ranges["1"] == pytest.approx((0.0, 1.5))


def test_percentile_leaves_the_tails_outside() -> None:
    split = samples(600)
    low, high = observe(network(), ["0"], split, "percentile")["0"]
    values = 2 * (split.x / 255) - 0.5
    assert 0 < (values < low).mean() <= TAIL
    assert 0 < (values > high).mean() <= TAIL
    assert low == pytest.approx(2 * 90 / 255 - 0.5, abs=2e-4)
    assert high == pytest.approx(2 * 110 / 255 - 0.5, abs=2e-4)


def test_four_bits_have_the_range_that_loses_least() -> None:
    """A few values far outside would make every step of 4 bits larger; of 8 bits they are all inside."""
    rng = np.random.default_rng(0)
    split = Split(np.clip(rng.normal(100, 12, (300, 8, 8, 1)), 0, 255).astype(np.uint8), np.zeros(300, np.int64))
    split.x[0, 0, 0] = 255
    low, high = observe(network(), ["0"], split, "minmax", {"0"})["0"]
    values = 2 * (split.x / 255) - 0.5

    def error(low: float, high: float) -> float:
        quantization = activation(low, high, INT4)
        steps = np.clip(np.round(values / quantization.scale[0]) + quantization.zero_point, *INT4)
        return float(np.square(quantization.scale[0] * (steps - quantization.zero_point) - values).mean())

    assert high < 0.8 < values.max() == 1.5
    assert error(low, high) < 0.5 * error(values.min(), values.max())
    ends = [(low * a, high * b) for a in (0.9, 1, 1.1) for b in (0.9, 1, 1.1)]
    assert error(low, high) <= 1.1 * min(error(*some) for some in ends)


def test_a_constant_has_a_range() -> None:
    split = Split(np.full((20, 8, 8, 1), 51, np.uint8), np.zeros(20, np.int64))
    assert observe(network(), ["0"], split, "percentile")["0"] == pytest.approx((-0.1, -0.1), abs=1e-6)


def test_hooks_are_removed() -> None:
    net = network()
    observe(net, ["0", "1"], samples(20), "percentile")
    assert not any(module._forward_hooks for module in net.modules())
    assert net(torch.zeros(1, 1, 8, 8)).sum() == 0
