"""TinyNAS, second half: one super network that holds the weights of every network in the space.

Elastic kernel (the centre of a larger one, or made from it), depth (the first blocks of a stage) and expansion (the
first channels inside a block, or of a convolution); networks of narrower spaces have the first channels of everything.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from safetensors.torch import load_file
from torch import Tensor, nn

from mcubuild.nas.space.arch import Arch, Space, largest
from mcubuild.nas.space.backbones import Mobile
from mcubuild.nas.space.blocks import Basic, Block, Bottleneck, MaxPool, Stem
from mcubuild.nas.training.activation import relu6
from mcubuild.nas.training.depthwise import conv_same
from mcubuild.nas.training.kernels import KernelTransform, centre
from mcubuild.nas.training.network import BasicBlock, ConvNorm, InvertedBottleneck, Network, initialise


class SuperNetwork(Network):
    """The largest network of a space, which can run as any other network of this space and of smaller ones."""

    def __init__(self, space: Space, *, kernel_transform: bool = False) -> None:
        super().__init__(largest(space))
        self.largest = largest(space)
        self.transforms = nn.ModuleDict()
        """By block ("stages.0.1" as "stages-0-1"): how smaller kernels come from the largest; others are its centre."""
        if kernel_transform:
            for name, block in self.largest.blocks().items():
                if isinstance(block, Bottleneck) and block.kernel > min(Mobile.kernels):
                    self.transforms[_key(name)] = KernelTransform(block.kernel, series=block.series)

    def forward_as(self, x: Tensor, arch: Arch) -> Tensor:
        """Logits (N, classes) of images (N, channels, R, R) from ``arch``'s share of the weights.

        Batch norm uses the statistics of ``x``, as in training.
        """
        *body, _ = arch.blocks().items()
        for name, block in body:
            x = self._run_block(name, x, block)
        if isinstance(self.classifier, nn.Conv2d):
            return F.conv2d(x, self.classifier.weight[:, : x.shape[1]], self.classifier.bias)
        features = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return F.linear(features, self.classifier.weight[:, : features.shape[1]], self.classifier.bias)

    def extract(self, arch: Arch) -> Network:
        """The plain network of ``arch`` with a copy of its share of the weights."""
        network = Network(arch)
        shared = self.state_dict()
        for name, block in arch.blocks().items():
            if _key(name) in self.transforms and isinstance(block, Bottleneck):
                shared[f"{name}.depthwise.conv.weight"] = self._kernels(name, block.kernel).detach()
        state = {name: share(shared[name], value.shape).clone() for name, value in network.state_dict().items()}
        network.load_state_dict(state, assign=True)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _run_block(self, name: str, x: Tensor, block: Block) -> Tensor:
        match block, self.get_submodule(name):
            case Stem(), ConvNorm() as module:
                return _run(module, x, block.outputs)
            case Bottleneck(), InvertedBottleneck() as module:
                hidden = x if module.expand is None else _run(module.expand, x, block.hidden)
                y = _run(module.depthwise, hidden, block.hidden, self._kernels(name, block.kernel))
                y = _run(module.project, y, block.outputs)
                return x + y if block.residual else y
            case Basic(), BasicBlock() as module:
                y = _run(module.second, _run(module.first, x, block.hidden), block.outputs)
                return F.relu(y + (x if module.shortcut is None else _run(module.shortcut, x, block.outputs)))
            case MaxPool(), module:
                pooled: Tensor = module(x)
                return pooled
            case _:
                raise TypeError(f"{type(block).__name__} is in no space")

    def _kernels(self, name: str, kernel: int) -> Tensor:
        """Of the depthwise convolution of block ``name``: (its largest number of channels, 1, kernel, kernel)."""
        weight = self.get_parameter(f"{name}.depthwise.conv.weight")
        if _key(name) not in self.transforms:
            return centre(weight, kernel)
        made: Tensor = self.transforms[_key(name)](weight, kernel)
        return made


def _key(name: str) -> str:
    return name.replace(".", "-")


def share(weights: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The part of the super network's ``weights`` that a network uses where it has ``shape``.

    The first channels of the leading two dimensions, the centre of the trailing two (the kernel's).
    """
    part = weights[tuple(slice(size) for size in shape[:2])]
    return centre(part, shape[2]) if len(shape) == 4 else part


def _run(layer: ConvNorm, x: Tensor, outputs: int, whole: Tensor | None = None) -> Tensor:
    """The first ``outputs`` channels of ``layer`` (with the weight ``whole``), as wide as the input demands."""
    whole, norm = layer.conv.weight if whole is None else whole, layer.norm
    kernel = whole.shape[2]
    depthwise = layer.conv.groups > 1
    weight = share(whole, (outputs, 1 if depthwise else x.shape[1], kernel, kernel))
    x = conv_same(x, weight, layer.conv.stride, outputs if depthwise else 1)
    x = F.batch_norm(x, None, None, norm.weight[:outputs], norm.bias[:outputs], training=True, eps=norm.eps)
    return relu6(x) if layer.relu6 else x


@torch.no_grad()
def sort_channels(network: SuperNetwork) -> None:
    """Put the channels that smaller networks have fewer of in order of importance, so that they have the best.

    Important are channels whose weights in the layer that reads them have a large L1 norm (once-for-all, arXiv
    1908.09791, section 3). What the largest network computes stays the same but for rounding.
    """
    for writers, reader in _elastic(network):
        others = [dimension for dimension in range(reader.ndim) if dimension != 1]
        order = reader.abs().sum(dim=others).argsort(descending=True, stable=True)
        for layer in writers:
            for tensor in (layer.conv.weight, *layer.norm.parameters(), *layer.norm.buffers()):
                if tensor.ndim:
                    tensor.copy_(tensor[order])
        reader.copy_(reader[:, order])


def _elastic(network: SuperNetwork) -> Iterator[tuple[list[ConvNorm], Tensor]]:
    """The layers that write channels of which a smaller network of the space has fewer, and the weight that reads them.

    Only the largest network's channels are in order: another may skip the block that reads them in it.
    """
    for module in network.modules():
        if isinstance(module, InvertedBottleneck) and module.expand is not None:
            yield [module.expand, module.depthwise], module.project.conv.weight
        elif isinstance(module, BasicBlock):
            yield [module.first], module.second.conv.weight
    if not network.largest.space.backbone.chained:
        return
    row = [network.get_submodule(name) for name, block in network.largest.blocks().items() if isinstance(block, Stem)]
    convolutions = [module for module in row if isinstance(module, ConvNorm)]
    readers = [*(module.conv.weight for module in convolutions[1:]), network.classifier.weight]
    for writer, reader in zip(convolutions, readers, strict=True):
        yield [writer], reader


def fresh(space: Space, seed: int, *, kernel_transform: bool = False) -> SuperNetwork:
    """A super network whose largest network is that of ``space``, with fresh weights that depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SuperNetwork(space, kernel_transform=kernel_transform)
        initialise(network)
    return network


def read_supernet(path: Path, space: Space) -> SuperNetwork:
    """The trained super network in ``path``, in evaluation mode; ``space`` is that of its largest network."""
    state = load_file(path)
    network = SuperNetwork(space, kernel_transform=any(name.startswith("transforms.") for name in state))
    network.load_state_dict(state)
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]
