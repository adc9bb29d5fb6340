"""The float network of an architecture: ordinary modules, one for each operator of the skeleton and named like it.

``network.get_submodule(op.output)`` computes what ``op`` computes, fused activation included.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor, nn

from mcubuild.nas.arch import Arch
from mcubuild.nas.blocks import Bottleneck, Head, Stem, blocks
from mcubuild.nas.depthwise import conv_same


class Conv(nn.Module):
    """The weight of a convolution (outputs, inputs / groups, K, K), not initialised."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride, self.groups = stride, groups
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        return conv_same(x, self.weight, self.stride, self.groups)


class ConvNorm(nn.Module):
    """Convolution, batch norm and, optionally, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, relu6: bool = True
    ) -> None:
        super().__init__()
        self.relu6 = relu6
        self.conv = Conv(inputs, outputs, kernel, stride, groups)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        x = self.norm(self.conv(x))
        return F.relu6(x, inplace=True) if self.relu6 else x

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs / groups, K, K) and bias (outputs,) of the convolution with batch norm folded in."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return self.conv.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor


class Add(nn.Module):
    """Residual addition, a module so that its output can be observed."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two tensors of equal shape -> their sum."""
        return left + right


class InvertedBottleneck(nn.Module):
    """The float network's form of ``blocks.Bottleneck``."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.expand = ConvNorm(block.inputs, block.hidden) if block.expands else None
        self.depthwise = ConvNorm(block.hidden, block.hidden, block.kernel, block.stride, block.hidden)
        self.project = ConvNorm(block.hidden, block.outputs, relu6=False)
        self.add = Add() if block.residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        hidden = x if self.expand is None else self.expand(x)
        y: Tensor = self.project(self.depthwise(hidden))
        return y if self.add is None else self.add(x, y)


class Network(nn.Module):
    """A network of the search space: pixels / 255 (N, channels, R, R) -> logits (N, classes).

    Its weights are not initialised: see ``build_network``.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        row = blocks(arch)
        stem, first, head = row["stem"], row["first"], row["head"]
        assert isinstance(stem, Stem) and isinstance(first, Bottleneck) and isinstance(head, Head)
        self.arch = arch
        self.stem = ConvNorm(stem.inputs, stem.outputs, stem.kernel, stem.stride)
        self.first = InvertedBottleneck(first)
        self.stages = nn.ModuleList(
            nn.ModuleList(_bottleneck(row[f"stages.{stage}.{index}"]) for index in range(len(choices)))
            for stage, choices in enumerate(arch.stages)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(head.inputs, head.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the images ``x``."""
        x = self.first(self.stem(x))
        for stage in self.stages:
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


def _bottleneck(block: object) -> InvertedBottleneck:
    assert isinstance(block, Bottleneck)
    return InvertedBottleneck(block)


def build_network(arch: Arch) -> Network:
    """The plain network of ``arch`` with fresh weights, drawn from torch's global generator."""
    network = Network(arch)
    initialise(network)
    return network


def initialise(network: Network) -> None:
    """Draw all weights afresh from torch's global generator."""
    for module in network.modules():
        if isinstance(module, Conv):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    nn.init.normal_(network.classifier.weight, std=0.01)
    nn.init.zeros_(network.classifier.bias)
    for module in network.modules():
        if isinstance(module, InvertedBottleneck) and module.add is not None:
            # The block begins as the identity: deep networks of many sizes then learn in half the steps.
            nn.init.zeros_(module.project.norm.weight)
