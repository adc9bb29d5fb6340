"""Weights rounded to what integers can represent, while gradients go on to reach the floats behind them."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mcubuild.nas.network import Conv
from mcubuild.quant.scales import Floats, channel_scales, largest


class Grid(nn.Module):
    """Multiples of a scale a channel: the parametrisation of a layer's weight (channels, ...).

    The scales are those of the weights that it is made for. Batch norm behind a convolution multiplies each channel
    with a factor that is learned, so that the grid of the folded weights still adapts.
    """

    scales: Tensor
    """(channels, 1, ...); 0 for channels of zeros, which stay zero."""

    def __init__(self, weight: Tensor, bits: int) -> None:
        super().__init__()
        self._largest = largest(bits)
        scales = torch.from_numpy(channel_scales(weight.detach().double().cpu().numpy(), bits))
        self.register_buffer("scales", scales.to(weight).view(-1, *(1,) * (weight.ndim - 1)))

    def forward(self, weight: Tensor) -> Tensor:
        """The nearest weights on the grid; the gradient is that of clipping alone (straight-through)."""
        return self.integers(weight) * self.scales

    def integers(self, weight: Tensor) -> Tensor:
        """The integers, as floats, that stand for ``weight``."""
        steps = (weight / (self.scales + (self.scales == 0))).clamp(-self._largest, self._largest)
        return steps + (steps.round() - steps).detach()


def put_on_grid(network: nn.Module, bits: int) -> None:
    """Make every convolution and linear layer that is not there yet compute with weights on a grid of ``bits`` bits."""
    for layer in list(network.modules()):
        if isinstance(layer, Conv | nn.Linear) and not parametrize.is_parametrized(layer, "weight"):
            parametrize.register_parametrization(layer, "weight", Grid(layer.weight, bits))


def grid_scales(layer: nn.Module, folded: Floats) -> Floats | None:
    """Scales (channels,) of the ``folded`` weights (channels, ...) of a layer on a grid; None if it is on none.

    Folding multiplies each channel, and so its scale, with a factor: what the folded weights are of their integers.
    """
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    weight = layer.get_parameter("parametrizations.weight.original")
    grid = layer.get_submodule("parametrizations.weight.0")
    assert isinstance(grid, Grid)
    axes = tuple(range(1, folded.ndim))
    most = grid.integers(weight).abs().amax(dim=axes).detach().numpy()
    return np.asarray(np.abs(folded).max(axis=axes) / np.maximum(most, 1))
