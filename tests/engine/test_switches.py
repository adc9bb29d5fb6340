"""Every switch of [engine]: no bit changes, whatever is switched off, and each is worth something somewhere."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import Workbench, roomy
from mcubuild.board import read_board
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import combine, estimate_stretch, fits
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.store import Store
from tests.engine.compiled import Compiled
from tests.networks import random_inputs, random_network

SWITCHES = tuple(name for name, field in EngineSettings.model_fields.items() if field.default is True)


def settings(off: Iterable[str], kind: str = "smallest") -> EngineSettings:
    return EngineSettings.model_validate({"plan": kind, **dict.fromkeys(off, False)})


FEW = (*((name,) for name in SWITCHES), SWITCHES)
"""Each switch off, and all."""


def many() -> list[tuple[str, ...]]:
    """Each alone on, the first ones on as in the ablation, and some more."""
    rng = np.random.default_rng(0)
    sets = [tuple(other for other in SWITCHES if other != name) for name in SWITCHES]
    sets += [SWITCHES[count:] for count in range(1, len(SWITCHES) - 1)]
    sets += [tuple(name for name in SWITCHES if rng.random() < 0.4) for _ in range(8)]
    return sets


def mobile() -> Graph:
    """A stem, inverted bottlenecks with and without residual, a head; rows and columns of odd numbers."""
    sketch = Sketch((1, 21, 19, 3))
    last = sketch.conv("input", 8, 3, 2)
    last = sketch.bottleneck(last, 24, 8, 5)
    last = sketch.bottleneck(last, 25, 7, 3, 2)
    last = sketch.bottleneck(last, 21, 7, 7)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph())


@pytest.mark.parametrize("off", FEW, ids="-".join)
def test_no_bit_changes(tmp_path: Path, off: tuple[str, ...]) -> None:
    check(mobile(), off, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("off", many(), ids="-".join)
def test_no_bit_changes_in_random_networks(tmp_path: Path, off: tuple[str, ...], bits: int) -> None:
    check(random_network(len(off) + 10 * bits, bits), off, tmp_path)


def check(graph: Graph, off: tuple[str, ...], folder: Path) -> None:
    inputs = random_inputs(graph, 3)
    outputs = Compiled(graph, folder, settings=settings(off)).run(inputs)
    np.testing.assert_array_equal(outputs, run(graph, inputs), f"off: {', '.join(off)}")


BOARD = roomy(read_board("stm32f412"))
ALL_OFF = settings(SWITCHES)


def memory(graph: Graph, engine: EngineSettings) -> int:
    return plan(graph, Target.of(BOARD, engine)).arena


@pytest.mark.parametrize("switch", ["model_im2col", "fusion", "inplace_depthwise", "fused_blocks"])
def test_a_switch_saves_memory(switch: str) -> None:
    """On top of those that come before it in the ablation."""
    on = SWITCHES[: SWITCHES.index(switch)]
    before = settings(set(SWITCHES) - set(on))
    after = settings(set(SWITCHES) - {*on, switch})
    assert memory(mobile(), after) < memory(mobile(), before)


def test_additions_in_place_save_memory() -> None:
    sketch = Sketch((1, 16, 16, 8))
    last = sketch.conv("input", 8)
    sketch.conv(sketch.add(last, sketch.depthwise(last)), 2)
    graph = with_random_values(sketch.graph())
    off = {"fused_blocks", "assembly"}
    assert memory(graph, settings(off)) < memory(graph, settings(off | {"inplace_add"}))


def test_overlap_saves_memory() -> None:
    """Of one layer whose output is larger than what its rows free."""
    sketch = Sketch((1, 40, 4, 16))
    sketch.conv("input", 14)
    graph = with_random_values(sketch.graph())
    tensors = sum(tensor.nbytes for tensor in graph.activations())
    off = {"fused_blocks", "assembly"}
    assert memory(graph, settings(off)) < 0.7 * tensors
    assert memory(graph, settings(off | {"overlap"})) >= tensors


@pytest.mark.parametrize("switch", ["fusion", "unrolling", "tiling", "assembly"])
def test_a_switch_saves_cycles(switch: str, tmp_path: Path) -> None:
    """Of layers of all kinds, alone switched off; what needs it is off as well."""
    sketch = Sketch((1, 8, 8, 8))
    sketch.conv(sketch.depthwise(sketch.conv("input", 24, 3)), 16)
    graph = with_random_values(sketch.graph())
    bench = Workbench(Store(tmp_path), "test")
    without = set() if switch == "assembly" else {"assembly"}
    fast, slow = (
        bench.figures(graph, Deployment(BOARD, settings(off, "fastest"))) for off in (without, without | {switch})
    )
    assert fast.zero_wait_cycles < 0.98 * slow.zero_wait_cycles


@pytest.mark.parametrize("off", [(), *FEW], ids="-".join)
def test_estimates_know_the_switches(off: tuple[str, ...]) -> None:
    """The search asks for stretches of the network, the code generator for all of it: both give the same arena."""
    graph = mobile()
    for limit in (0, 5000, None):
        target = replace(Target.of(BOARD, settings(off, "fastest")), arena=limit)
        whole = estimate_stretch(graph, target)
        arena = plan(graph, target).arena
        assert combine([whole], target, 2048).arena == arena
        if limit is not None:
            assert fits([whole], target, limit, 1 << 20) == (arena <= limit)
    own = [choose(layer, target).scratch_bytes(layer) for layer in layers(graph)]
    assert (whole.reserved >= sum(own) > 0) == ("model_im2col" in off)
