"""Weights rounded to what integers can represent, while gradients go on to reach the floats behind them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mcubuild.nas.training.network import ConvNorm
from mcubuild.quant.scales import channel_scales, largest


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


def put_on_grid(network: nn.Module, bits: Mapping[str, int]) -> None:
    """Make layers compute with weights on a grid, if they are not there yet.

    Args:
        network: where they are.
        bits: of the grid, by the layer's name: a ``ConvNorm`` or linear submodule.
    """
    for name, width in bits.items():
        module = network.get_submodule(name)
        layer = module.conv if isinstance(module, ConvNorm) else module
        if not parametrize.is_parametrized(layer, "weight"):
            parametrize.register_parametrization(layer, "weight", Grid(layer.get_parameter("weight"), width))


def folded(module: nn.Module) -> tuple[Tensor, Tensor, Tensor | None]:
    """Weights (channels, ...), bias (channels,) and scales of the weights (channels,) of a layer, with its batch norm.

    Folding multiplies each channel's weights, and so its scale, with a factor: the scale is what they are of their
    integers. It is None for a layer that is on no grid.
    """
    if isinstance(module, ConvNorm):
        layer: nn.Module = module.conv
        weights, bias = module.folded()
    else:
        assert isinstance(module, nn.Linear | nn.Conv2d), f"{type(module).__name__} has no weights"
        assert module.bias is not None, "classifiers have one"
        layer, weights, bias = module, module.weight, module.bias
    if not parametrize.is_parametrized(layer, "weight"):
        return weights, bias, None
    grid = layer.get_submodule("parametrizations.weight.0")
    assert isinstance(grid, Grid)
    axes = tuple(range(1, weights.ndim))
    most = grid.integers(layer.get_parameter("parametrizations.weight.original")).abs().amax(dim=axes)
    return weights, bias, weights.abs().amax(dim=axes) / most.clamp(min=1)
