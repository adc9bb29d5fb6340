"""The float network of an architecture: ordinary modules, one for each operator of the skeleton and named like it.

``network.get_submodule(op.output)`` computes what ``op`` computes, fused activation included.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor, nn

from mcubuild.ir.geometry import same_padding
from mcubuild.nas.space.blocks import (
    Basic,
    Block,
    Bottleneck,
    Cells,
    Described,
    End,
    Head,
    MaxPool,
    Mix,
    Separable,
    Stem,
)
from mcubuild.nas.training.activation import relu6
from mcubuild.nas.training.depthwise import conv_same


class Conv(nn.Module):
    """The weight of a convolution (outputs, inputs / groups, K, K), or (..., K, 1) of series, not initialised."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, *, series: bool) -> None:
        super().__init__()
        self.stride, self.groups = stride, groups
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, 1 if series else kernel))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        return conv_same(x, self.weight, self.stride, self.groups)


class ConvNorm(nn.Module):
    """Convolution, batch norm and, optionally, ReLU6."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        relu6: bool = True,
        series: bool = False,
    ) -> None:
        super().__init__()
        self.relu6 = relu6
        self.conv = Conv(inputs, outputs, kernel, stride, groups, series=series)
        self.norm = nn.BatchNorm2d(outputs)
        self.sums = nn.Identity()
        """Gets what the activation is applied to, for hooks."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        if self.training:
            x = self.norm(self.conv(x))
        else:  # two passes over the map less
            weight, bias = self.folded()
            x = conv_same(x, weight, self.conv.stride, self.conv.groups, bias)
        x = self.sums(x)
        return relu6(x) if self.relu6 else x

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
        self.depthwise = ConvNorm(
            block.hidden, block.hidden, block.kernel, block.stride, block.hidden, series=block.series
        )
        self.project = ConvNorm(block.hidden, block.outputs, relu6=False)
        self.add = Add() if block.residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        hidden = x if self.expand is None else self.expand(x)
        y: Tensor = self.project(self.depthwise(hidden))
        return y if self.add is None else self.add(x, y)


class DepthwiseSeparable(nn.Module):
    """The float network's form of ``blocks.Separable``."""

    def __init__(self, block: Separable) -> None:
        super().__init__()
        self.depthwise = ConvNorm(block.inputs, block.inputs, 3, block.stride, block.inputs, series=block.series)
        self.pointwise = ConvNorm(block.inputs, block.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


class AddRectified(nn.Module):
    """Residual addition and ReLU."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two tensors of equal shape -> their sum, at least 0."""
        return F.relu(left + right)


class BasicBlock(nn.Module):
    """The float network's form of ``blocks.Basic``."""

    def __init__(self, block: Basic) -> None:
        super().__init__()
        self.first = ConvNorm(block.inputs, block.hidden, 3, block.stride, series=block.series)
        self.second = ConvNorm(block.hidden, block.outputs, 3, relu6=False, series=block.series)
        self.shortcut = ConvNorm(block.inputs, block.outputs, 1, block.stride, relu6=False) if block.projects else None
        self.add = AddRectified()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, H) -> (N, outputs, ceil(H / stride), ceil(H / stride))."""
        y = self.second(self.first(x))
        z: Tensor = self.add(x if self.shortcut is None else self.shortcut(x), y)
        return z


class MaxPoolSame(nn.Module):
    """Largest of kernel x kernel pixels at stride 2, with TensorFlow's SAME padding."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, H) -> (N, C, ceil(H / 2), ceil(H / 2))."""
        window = (self.kernel, self.kernel)
        top, bottom, left, right = same_padding((x.shape[2], x.shape[3]), window, (2, 2))
        return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=float("-inf")), window, 2)


class Network(nn.Module):
    """A network that arch.json describes: pixels / 255 (N, channels, R, R) -> logits (N, classes), or of cells.

    Its weights are not initialised: see ``build_network``.
    """

    stem: ConvNorm

    def __init__(self, arch: Described) -> None:
        super().__init__()
        self.arch = arch
        *body, (_, head) = arch.blocks().items()
        assert isinstance(head, End)
        self._names = [name for name, _ in body]
        for name, block in body:
            self._place(name, _module(block))
        self.pool = nn.AdaptiveAvgPool2d(1) if isinstance(head, Head) else None
        self.classifier: nn.Linear | nn.Conv2d
        if isinstance(head, Cells):
            self.classifier = nn.Conv2d(head.inputs, head.outputs, 1)
        else:
            features = head.inputs if isinstance(head, Head) else head.size.pixels * head.inputs
            self.classifier = nn.Linear(features, head.classes)

    @property
    def bias(self) -> Tensor:
        """Of the last layer, (outputs,)."""
        assert self.classifier.bias is not None, "made with one"
        return self.classifier.bias

    def _place(self, name: str, module: nn.Module) -> None:
        """Make ``module`` the submodule ``name``, dotted."""
        *path, last = name.split(".")
        parent: nn.Module = self
        for part in path:
            if part not in dict(parent.named_children()):
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, module)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the images ``x``."""
        for name in self._names:
            x = self.get_submodule(name)(x)
        return self.classify(x)

    def classify(self, x: Tensor) -> Tensor:
        """Logits of the last feature map (N, C, H, H); pixels come before channels, as in the quantised graph.

        Of a detector (N, outputs, H, H): an answer for each cell.
        """
        if isinstance(self.classifier, nn.Conv2d):
            cells: Tensor = self.classifier(x)
            return cells
        features = x.permute(0, 2, 3, 1) if self.pool is None else self.pool(x)
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def _module(block: Block) -> nn.Module:
    match block:
        case Stem():
            return ConvNorm(block.inputs, block.outputs, block.kernel, block.stride, series=block.series)
        case Bottleneck():
            return InvertedBottleneck(block)
        case Separable():
            return DepthwiseSeparable(block)
        case Basic():
            return BasicBlock(block)
        case MaxPool():
            return MaxPoolSame(block.kernel)
        case Mix():
            return ConvNorm(block.inputs, block.outputs)
        case _:
            raise TypeError(f"{type(block).__name__} ends a network and is no part of its body")


def build_network(arch: Described) -> Network:
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
    nn.init.zeros_(network.bias)
    for module in network.modules():
        if isinstance(module, InvertedBottleneck) and module.add is not None:
            # The block begins as the identity: deep networks of many sizes then learn in half the steps.
            nn.init.zeros_(module.project.norm.weight)
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.second.norm.weight)
