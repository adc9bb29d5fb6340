"""Networks of series: maps one pixel wide and kernels k x 1, from the super network to the generated C."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import estimate
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D
from mcubuild.nas.space.arch import Arch, Space, draw, largest, smallest
from mcubuild.nas.space.backbones import BACKBONES
from mcubuild.nas.space.baselines import BASELINES, Baseline
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.nas.training.network import build_network, initialise
from mcubuild.nas.training.supernet import SuperNetwork
from mcubuild.resolution import Resolution, square
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from tests.engine.compiled import Compiled

BOARD, SETTINGS = read_board("stm32f412"), EngineSettings()
BLOCKS = sorted(BACKBONES)


def space(block: str, resolution: int = 50, width: float = 0.3) -> Space:
    return Space(width, Resolution(resolution, 1), 6, 5, 4, block, series=True)


def random_network(block: str) -> Arch:
    return draw(space(block), np.random.default_rng(1))


@pytest.mark.parametrize("block", BLOCKS)
def test_maps_are_one_pixel_wide_and_kernels_too(block: str) -> None:
    graph = skeleton(random_network(block), 8)
    assert graph.tensor("input").shape == (1, 50, 1, 6)
    kernels = set()
    for op in graph.ops:
        assert len(shape := graph.tensor(op.output).shape) == 2 or shape[2] == 1
        if isinstance(op, Conv2D | DepthwiseConv2D):
            kernels.add(graph.tensor(op.weights).shape[1:3])
    assert kernels <= {(1, 1), (3, 1), (5, 1), (7, 1)} and len(kernels) > 1 - (block == "plain")


@pytest.mark.parametrize("kernel_transform", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_running_as_a_network_is_running_the_extracted_network(block: str, kernel_transform: bool) -> None:
    torch.manual_seed(0)
    supernet = SuperNetwork(space(block), kernel_transform=kernel_transform)
    initialise(supernet)
    for name, parameter in supernet.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
        elif name.startswith("transforms."):
            torch.nn.init.normal_(parameter, std=0.1)
    x = torch.rand(8, 6, 50, 1)
    for arch in (smallest(space(block)), largest(space(block)), random_network(block)):
        extracted = supernet.extract(arch).train()
        assert extracted(x).shape == (8, 5)
        torch.testing.assert_close(supernet.forward_as(x, arch), extracted(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("block", BLOCKS)
def test_footprints_are_those_of_whole_skeletons(block: str) -> None:
    footprints = Footprints(Deployment(BOARD, SETTINGS))
    for arch in (smallest(space(block)), random_network(block)):
        target = Target.of(BOARD, SETTINGS)
        assert footprints.of(arch) == estimate(skeleton(arch, 8), target, 2048)


def test_a_series_costs_less_than_a_picture() -> None:
    footprints = Footprints(Deployment(BOARD, SETTINGS))
    series, picture = (Space(0.3, size, 3, 5, 4, series=size.width == 1) for size in (Resolution(48, 1), square(48)))
    assert footprints.macs(smallest(series)) * 10 < footprints.macs(smallest(picture))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("block", BLOCKS)
def test_generated_c_equals_the_executor(tmp_path: Path, block: str, bits: int) -> None:
    check(random_network(block), bits, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES)
def test_published_networks(tmp_path: Path, name: str) -> None:
    network = Baseline(name, 0.35, Resolution(40, 1), 3, 4, series=True)
    assert build_network(network).eval()(torch.rand(2, 3, 40, 1)).shape == (2, 4)
    check(network, 8, tmp_path)


def check(network: Described, bits: int, folder: Path) -> None:
    graph = with_random_values(skeleton(network, bits))
    shape = graph.tensor("input").shape
    inputs = np.random.default_rng(0).integers(-128, 128, (3, *shape[1:]), np.int8)
    assert np.array_equal(Compiled(graph, folder).run(inputs), run(graph, inputs))
