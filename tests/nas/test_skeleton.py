from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np
import pytest

from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected
from mcubuild.ir.widths import arithmetic, weight_bits
from mcubuild.nas.space.arch import Space, draw, largest, smallest
from mcubuild.nas.space.backbones import Mobile
from mcubuild.nas.space.blocks import Bottleneck
from mcubuild.nas.space.skeleton import block_skeleton, skeleton
from mcubuild.resolution import Resolution, square

SPACE = Space(width=0.5, resolution=square(144), channels=3, classes=100)
SMALL = Space(width=0.3, resolution=square(30), channels=1, classes=10)


def test_activations_of_four_bits_are_those_between_the_ends() -> None:
    arch = smallest(SPACE)
    wide, narrow = skeleton(arch, 8), skeleton(arch, 8, 4)
    assert [op.output for op in narrow.ops] == [op.output for op in wide.ops]
    assert {tensor.name for tensor in narrow.activations() if not tensor.packed} == {"input", "pool", "classifier"}
    assert isinstance(narrow.ops[-2], Mean)  # which has a scale of its own
    assert arithmetic(narrow) == "w8a4" and arithmetic(skeleton(arch, 4, 4)) == "w4a4"


@pytest.mark.parametrize("stride", [0, 16])
def test_the_ends_may_have_bits_of_their_own(stride: int) -> None:
    graph = skeleton(smallest(replace(SPACE, stride=stride)), 4, ends=8)
    wide = [name for name, bits in weight_bits(graph).items() if bits == 8]
    assert wide == [graph.ops[0].output, graph.ops[-1].output] == ["stem", "classifier"]
    block = next(iter(largest(SPACE).blocks().values()))
    assert [*weight_bits(block_skeleton(block, 4, ends=8)).values()] == [8]
    assert [*weight_bits(block_skeleton(block, 4, ends=8, first=False)).values()] == [4]


def test_shapes_of_the_smallest_network() -> None:
    graph = skeleton(smallest(SPACE), 8)
    shapes = {op.output: graph.tensor(op.output).shape for op in graph.ops}
    assert graph.tensor("input").shape == (1, 144, 144, 3)
    assert shapes["stem"] == (1, 72, 72, 16)
    assert shapes["first.depthwise"] == (1, 72, 72, 16)
    assert shapes["first.project"] == (1, 72, 72, 8)
    assert shapes["stages.0.0.expand"] == (1, 72, 72, 24)
    assert shapes["stages.0.0.depthwise"] == (1, 36, 36, 24)
    assert shapes["stages.0.1.add"] == (1, 36, 36, 16)
    assert shapes["stages.5.0.project"] == (1, 5, 5, 160)
    assert shapes["pool"] == (1, 1, 1, 160)
    assert shapes["classifier"] == (1, 100)
    assert graph.outputs == ("classifier",)
    assert "first.expand" not in shapes
    assert "stages.0.0.add" not in shapes


def test_shapes_of_networks_that_are_no_squares() -> None:
    graph = skeleton(smallest(Space(0.5, Resolution(96, 160), 3, 40, 5, stride=32)), 8)
    shapes = {op.output: graph.tensor(op.output).shape for op in graph.ops}
    assert graph.tensor("input").shape == (1, 96, 160, 3)
    assert shapes["stem"] == (1, 48, 80, 16)
    assert shapes["stages.0.0.depthwise"] == (1, 24, 40, 24)
    assert shapes["classifier"] == (1, 3, 5, 40)


def test_macs_of_the_smallest_network_by_hand() -> None:
    graph = skeleton(smallest(SMALL), 8)
    by_hand = 15 * 15 * 9 * 16 + 15 * 15 * (9 * 16 + 16 * 8)  # stem, first
    side, inputs = 15, 8
    for stage, outputs in enumerate((8, 16, 24, 32, 56, 96)):
        for block in range(1 if stage == 5 else 2):
            stride = Mobile.strides[stage] if block == 0 else 1
            out = -(-side // stride)
            by_hand += side * side * inputs * 3 * inputs + out * out * 3 * inputs * (9 + outputs)
            side, inputs = out, outputs
    assert side == 1
    assert sum(op.macs(graph) for op in graph.ops) == by_hand + 96 * 10


@pytest.mark.parametrize("seed", range(5))
def test_additions_join_equal_shapes_with_stride_one(seed: int) -> None:
    arch = draw(SMALL, np.random.default_rng(seed))
    graph = skeleton(arch, 8)
    joined = {op.output.removesuffix(".add") for op in graph.ops if isinstance(op, Add)}
    allowed = {
        name
        for name, block in arch.blocks().items()
        if isinstance(block, Bottleneck) and block.stride == 1 and block.inputs == block.outputs
    }
    assert joined == allowed
    assert {f"stages.{stage}.1" for stage in range(5)} <= joined


def test_weights_take_the_bits_that_were_asked_for() -> None:
    for bits in (4, 8):
        graph = skeleton(largest(SMALL), bits)
        for op in graph.ops:
            if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
                weights = graph.tensor(op.weights)
                assert weights.nbytes == (prod(weights.shape) * bits + 7) // 8
                assert graph.tensor(op.bias).nbytes == 4 * graph.tensor(op.bias).elements


def test_blocks_in_a_row_are_the_whole_network() -> None:
    arch = draw(SPACE, np.random.default_rng(3))
    whole = skeleton(arch, 8)
    parts = [block_skeleton(block, 8) for block in arch.blocks().values()]
    assert [type(op) for part in parts for op in part.ops] == [type(op) for op in whole.ops]
    assert sum(op.macs(part) for part in parts for op in part.ops) == sum(op.macs(whole) for op in whole.ops)
    for one, other in pairwise(parts):
        assert one.tensor(one.outputs[0]).shape == other.tensor("input").shape
