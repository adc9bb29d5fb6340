"""Activations of 4 bits: packed in the arena, computed exactly, in about half of the memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcubuild.bench.kernel_networks import calibration_network
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import estimate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run, run_all
from mcubuild.ir.graph import Graph, Tensor
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from tests.engine.compiled import Compiled
from tests.engine.test_footprint import check_memories
from tests.networks import packed, random_inputs, random_network
from tests.packing import read, stored
from tests.toolchains import needs_host_gcc

BOARD = read_board("stm32f412")
TARGET = Target.of(BOARD, EngineSettings())


def mobile(activations: int) -> Graph:
    """Inverted bottlenecks with channels in eights, as searched networks have."""
    sketch = Sketch((1, 40, 40, 3), activations=activations)
    last = sketch.bottleneck(sketch.conv("input", 16, 3, 2), 64, 16)
    last = sketch.bottleneck(last, 96, 24, 5, 2)
    last = sketch.bottleneck(last, 144, 24, 7)
    sketch.fully_connected(sketch.pool(last), 10)
    return with_random_values(sketch.graph())


def check_random(folder: Path, seed: int, toolchain: str) -> None:
    graph = packed(random_network(seed, 8 if seed % 3 else 4), seed, 1.0 if seed % 2 else 0.6)
    compiled, inputs = Compiled(graph, folder, toolchain), random_inputs(graph, 4)
    outputs = run(graph, inputs)
    np.testing.assert_array_equal(compiled.run(inputs), outputs)
    np.testing.assert_array_equal(compiled.run(inputs, seed=1), outputs, "the arena's former content matters")


@pytest.mark.parametrize("seed", range(4))
def test_random_networks(tmp_path: Path, seed: int) -> None:
    check_random(tmp_path, seed, "zig")


@needs_host_gcc
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 80))
def test_many_random_networks(tmp_path: Path, seed: int) -> None:
    check_random(tmp_path, seed, "gcc")


@pytest.mark.parametrize("plan", ["fastest", "smallest"])
def test_blocks_that_run_whole_and_that_stream(tmp_path: Path, plan: str) -> None:
    graph = mobile(4)
    compiled = Compiled(graph, tmp_path, settings=EngineSettings.model_validate({"plan": plan}))
    assert bool(compiled.plan.chains) == (plan == "smallest")
    inputs = random_inputs(graph, 4)
    np.testing.assert_array_equal(compiled.run(inputs), run(graph, inputs))


def test_the_last_tensor_of_each_kind_is_where_the_plan_says(tmp_path: Path) -> None:
    """The arena still holds what the last layers read: packed, row by row."""
    graph = packed(random_network(4, 4), 4)
    compiled = Compiled(graph, tmp_path)
    sample = random_inputs(graph, 3)[2:]
    values, arena = run_all(graph, sample), compiled.arena_after(sample[0])
    last = graph.ops[-1].operands[0]
    tensor, place = graph.tensor(last), compiled.plan.activations[last]
    rows = tensor.shape[1] if len(tensor.shape) == 4 else 1
    found = arena[place.offset : place.offset + place.nbytes].reshape(rows, -1)
    assert tensor.packed and place.nbytes == tensor.nbytes
    np.testing.assert_array_equal(read(tensor, found), values[last].reshape(rows, -1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "switches",
    [
        {"fusion": False},
        {"unrolling": False, "tiling": False},
        {"model_im2col": False},
        {"assembly": False, "plan": "smallest"},
        {"overlap": False, "plan": "smallest"},
        {"fused_blocks": False, "plan": "smallest"},
    ],
    ids=str,
)
def test_every_switch(tmp_path: Path, switches: dict[str, object]) -> None:
    for name, graph in (("mobile", mobile(4)), ("random", packed(random_network(4, 4), 4))):
        (folder := tmp_path / name).mkdir()
        inputs = random_inputs(graph, 3)
        compiled = Compiled(graph, folder, settings=EngineSettings.model_validate(switches))
        np.testing.assert_array_equal(compiled.run(inputs), run(graph, inputs))


def test_what_is_packed_can_be_read() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 3, 5, 3), (1, 2, 4, 8), (1, 21)):
        tensor = Tensor("x", shape, bits=4)
        rows = rng.integers(-8, 8, (shape[1] if len(shape) == 4 else 1, int(np.prod(shape[2:] or shape))), np.int8)
        bytes_ = stored(tensor, rows)
        assert bytes_.size == tensor.nbytes and bytes_.shape[1] % 4 == 0
        np.testing.assert_array_equal(read(tensor, bytes_), rows)


def test_arena_is_half_as_large() -> None:
    """That of whole tensors: to a word a row, and what unpacked tiles take."""
    wide, narrow = (plan(mobile(bits), TARGET).arena for bits in (8, 4))
    assert 0.5 * wide < narrow < 0.6 * wide


def test_every_layer_between_the_ends_is_packed() -> None:
    graph = mobile(4)
    assert [choose(layer, TARGET).kind.startswith("packed_") for layer in layers(graph)] == [
        *[True] * (len(graph.ops) - 1),
        False,
    ]


@pytest.mark.parametrize(
    "make", [lambda: mobile(4), lambda: calibration_network(2, activations=4)], ids=["mobile", "odd shapes"]
)
def test_memories_are_as_foretold(tmp_path: Path, make: object) -> None:
    assert callable(make)
    check_memories(make(), BOARD, FirmwareSettings(), tmp_path)


def test_cycles_are_those_of_bytes_and_a_little_more() -> None:
    wide, narrow = (estimate(mobile(bits), TARGET, 2048).cycles for bits in (8, 4))
    assert wide < narrow < 1.4 * wide


def test_what_callers_write_and_read_is_not_packed(tmp_path: Path) -> None:
    graph = mobile(4)
    graph = replace(graph, outputs=(graph.ops[-2].operands[0],), ops=graph.ops[:-2])
    with pytest.raises(BuildError, match=r"has 4 bits.*must have 8 or 16"):
        generate(graph, plan(graph, TARGET), TARGET, tmp_path, stack=2048)
