from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected
from mcubuild.nas.space.arch import Space, draw, largest
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.nas.training.depthwise import conv_same
from mcubuild.nas.training.network import ConvNorm, build_network
from mcubuild.resolution import Resolution, square

SPACE = Space(width=0.3, resolution=square(30), channels=3, classes=7)
WIDE = Space(width=0.3, resolution=Resolution(24, 40), channels=3, classes=7)


@pytest.mark.parametrize("space", [SPACE, WIDE], ids=lambda space: space.name)
@pytest.mark.parametrize("seed", range(4))
def test_every_operator_has_a_submodule_of_its_name_with_its_shape(seed: int, space: Space) -> None:
    arch = draw(space, np.random.default_rng(seed))
    graph, network = skeleton(arch, 8), build_network(arch).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def observe(name: str) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            assert name not in shapes
            shapes[name] = tuple(output.shape)

        network.get_submodule(name).register_forward_hook(hook)

    for op in graph.ops:
        observe(op.output)
    with torch.no_grad():
        network(torch.zeros(2, 3, *astuple(space.resolution)))
    for op in graph.ops:
        expected = graph.tensor(op.output).shape
        actual = shapes[op.output]
        assert actual == ((2, expected[3], *expected[1:3]) if len(expected) == 4 else (2, *expected[1:]))
        module = network.get_submodule(op.output)
        if isinstance(op, Conv2D | DepthwiseConv2D):
            assert isinstance(module, ConvNorm)
            outputs, inputs, height, width = module.conv.weight.shape
            channels_last = (outputs, height, width, inputs)
            weights = graph.tensor(op.weights).shape
            assert weights == (channels_last if isinstance(op, Conv2D) else (1, height, width, outputs))
        else:
            kinds = {FullyConnected: "Linear", Add: "Add", AveragePool2D: "AdaptiveAvgPool2d"}
            assert type(module).__name__ == kinds[type(op)]
    assert list(shapes) == [op.output for op in graph.ops]


def test_folded_convolution_does_batch_norm() -> None:
    torch.manual_seed(0)
    layer = ConvNorm(4, 6, kernel=3, stride=2).eval()
    nn.init.normal_(layer.conv.weight)
    assert layer.norm.running_mean is not None and layer.norm.running_var is not None
    nn.init.normal_(layer.norm.running_mean)
    nn.init.uniform_(layer.norm.running_var, 0.5, 2)
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    x = torch.randn(2, 4, 8, 8)
    weight, bias = layer.folded()
    folded = (conv_same(x, weight, 2, 1) + bias[:, None, None]).clamp(0, 6)
    torch.testing.assert_close(layer(x), folded)


def test_largest_network_has_the_parameters_that_its_skeleton_has() -> None:
    arch = largest(SPACE)
    graph, network = skeleton(arch, 8), build_network(arch)
    weights = sum(tensor.elements for name, tensor in graph.tensors.items() if name.endswith(".weights"))
    convolved = sum(p.numel() for name, p in network.named_parameters() if p.ndim > 1)
    assert weights == convolved
