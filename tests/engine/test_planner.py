"""Plans are correct (nothing that lives is overwritten) and optimal (nothing lower exists)."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import Layer, align, layers
from mcubuild.engine.memory.planner import Placement, Plan, plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.weighted import DepthwiseConv2D
from mcubuild.spec.engine import EngineSettings
from tests.engine.skeletons import branching, chain_with_residuals
from tests.networks import random_network


def cortex_m4(settings: EngineSettings) -> Target:
    return Target("cortex-m4", True, settings)


ON = cortex_m4(EngineSettings())
OFF = cortex_m4(EngineSettings(inplace_depthwise=False, inplace_add=False))
TARGETS = [
    ON,
    OFF,
    cortex_m4(EngineSettings(inplace_depthwise=False)),
    cortex_m4(EngineSettings(inplace_add=False)),
]


def test_no_two_live_buffers_overlap_unless_in_place() -> None:
    for seed in range(15):
        for target in TARGETS:
            check(random_network(seed), target)


@pytest.mark.parametrize("make", [chain_with_residuals, branching])
def test_small_graphs_are_planned_correctly(make: Callable[[int], Graph]) -> None:
    for seed in range(200):
        for target in TARGETS:
            check(make(seed), target)


@pytest.mark.parametrize("target", TARGETS)
def test_outputs_that_the_last_layer_reads_are_kept(target: Target) -> None:
    for seed in range(50):
        graph = chain_with_residuals(seed)
        check(replace(graph, outputs=(*dict.fromkeys((*graph.ops[-1].operands, *graph.outputs)),)), target)


def check(graph: Graph, target: Target) -> None:
    """Replays the network: who is alive at each layer, and where."""
    result = plan(graph, target)
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.operands}
    alive = set(graph.inputs)
    for layer in layers(graph):
        op = layer.op
        buffers = [(name, result.activations[name]) for name in (*sorted(alive), op.output)]
        if choose(layer, target).scratch_bytes(layer):
            buffers.append(("scratch", result.scratch[layer.index]))
            assert result.scratch[layer.index].nbytes >= choose(layer, target).scratch_bytes(layer)
        for name, place in buffers:
            assert place.offset % 4 == 0
            assert 0 <= place.offset <= place.offset + place.nbytes <= result.arena, name
            assert place.first <= layer.index <= place.last
        for (name, one), (other, two) in combinations(buffers, 2):
            if not overlap(one, two):
                continue
            assert other == op.output, f"layer {layer.index}: {name} and {other} overlap"
            assert result.inplace[other] == name
            assert last_use[name] == layer.index
            assert name not in graph.outputs
            check_in_place(layer, one, two, target.settings)
        alive.add(op.output)
        alive = {name for name in alive if last_use.get(name, -1) > layer.index or name in graph.outputs}
    assert result.lower_bound <= result.arena


def check_in_place(layer: Layer, source: Placement, over: Placement, settings: EngineSettings) -> None:
    if isinstance(layer.op, Add):
        assert settings.inplace_add
        assert source.offset == over.offset
    else:
        assert isinstance(layer.op, DepthwiseConv2D)
        assert settings.inplace_depthwise
        assert (source.offset - over.offset) % layer.input.shape[3] == 0, "channels would mix"


def overlap(one: Placement, two: Placement) -> bool:
    return one.offset < two.offset + two.nbytes and two.offset < one.offset + one.nbytes


@pytest.mark.parametrize("target", TARGETS)
def test_no_plan_of_a_chain_with_residuals_is_lower(target: Target) -> None:
    for seed in range(80):
        graph = chain_with_residuals(seed)
        result = plan(graph, target)
        assert not any(exhaustive(graph, target, result, result.arena - 4)), f"seed {seed}"


@pytest.mark.parametrize("target", TARGETS)
def test_no_plan_with_lone_tensors_at_the_ends_of_the_arena_is_lower(target: Target) -> None:
    for seed in range(40):
        graph = branching(seed)
        result = plan(graph, target)
        ends = {*graph.inputs, *graph.outputs, *lone_tensors(graph)}
        assert not any(exhaustive(graph, target, result, result.arena - 4, ends)), f"seed {seed}"


def lone_tensors(graph: Graph) -> set[str]:
    """Tensors that are alive alone at some moment between two layers."""
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.operands}
    last_use |= dict.fromkeys(graph.outputs, len(graph.ops))
    lone = set()
    alive = set(graph.inputs)
    for index, op in enumerate(graph.ops):
        alive = {name for name in (*alive, op.output) if last_use.get(name, -1) > index}
        if len(alive) == 1:
            lone |= alive
    return lone


def exhaustive(
    graph: Graph, target: Target, result: Plan, arena: int, ends: Collection[str] = ()
) -> Iterator[dict[str, int]]:
    """Every way to place all buffers in ``arena`` bytes: every offset is tried; for ``ends``, the two extreme ones."""
    size = {name: align(place.nbytes) for name, place in result.activations.items()}
    life = {name: range(place.first, place.last + 1) for name, place in result.activations.items()}
    for index, scratch in result.scratch.items():
        size[f"scratch{index}"] = align(scratch.nbytes)
        life[f"scratch{index}"] = range(index, index + 1)
    allowed = {}
    for layer in layers(graph):
        if isinstance(layer.op, Add) and target.settings.inplace_add:
            allowed[layer.op.output] = {n: 1 for n in layer.op.operands if life[n].stop == layer.index + 1}
        channels, same = layer.input.shape[-1], layer.input.elements == layer.output.elements
        if isinstance(layer.op, DepthwiseConv2D) and target.settings.inplace_depthwise and (same or channels % 4 == 0):
            allowed[layer.op.output] = {n: channels for n in layer.op.operands if life[n].stop == layer.index + 1}

    def fits(name: str, offset: int, placed: dict[str, int]) -> bool:
        overwritten = []
        for other, place in placed.items():
            if life[name].start >= life[other].stop or life[other].start >= life[name].stop:
                continue
            if offset >= place + size[other] or place >= offset + size[name]:
                continue
            if other in graph.outputs and other != name and name in graph.outputs:
                return False
            target, source = (name, other) if other in allowed.get(name, {}) else (other, name)
            if source not in allowed.get(target, {}) or source in graph.outputs:
                return False
            difference = offset - place
            if difference % allowed[target][source]:
                return False
            if difference not in (0, size[other] - size[name]):
                return False
            overwritten.append((target, source))
        # an output may lie over one of its inputs, and an input under one output
        return len({target for target, _ in overwritten}) == len({source for _, source in overwritten}) or (
            len(overwritten) <= 1
        )

    names = sorted(size, key=lambda name: -size[name])

    def search(index: int, placed: dict[str, int]) -> Iterator[dict[str, int]]:
        if index == len(names):
            yield placed
            return
        name = names[index]
        for offset in range(0, arena - size[name] + 1, max(arena - size[name], 4) if name in ends else 4):
            if fits(name, offset, placed):
                yield from search(index + 1, {**placed, name: offset})

    return search(0, {})


@pytest.mark.parametrize("assembly", [True, False])
def test_in_place_depthwise_needs_a_few_channels_more(assembly: bool) -> None:
    """One channel with its border; in assembly, rows of four with two bytes an element."""
    sketch = Sketch((1, 20, 20, 64))
    sketch.depthwise("input")
    more = 4 * 2 * (2 * 11) * 22 if assembly else align(22 * 22)
    for settings, copies in ((ON.settings, 1), (OFF.settings, 2)):
        target = replace(ON, settings=settings.model_copy(update={"assembly": assembly}))
        assert plan(sketch.graph(), target).arena == copies * 20 * 20 * 64 + more


def test_bottleneck_reaches_the_lower_bound() -> None:
    sketch = Sketch((1, 10, 10, 24))
    last = sketch.bottleneck("input", 96, 24)
    last = sketch.bottleneck(last, 144, 40, kernel=5, stride=2)
    sketch.bottleneck(last, 160, 40, kernel=7)
    for target in TARGETS:
        result = plan(sketch.graph(), target)
        assert result.arena == result.lower_bound


def test_output_stays_until_the_end() -> None:
    sketch = Sketch((1, 2, 2, 4))
    first = sketch.conv("input", 8)
    sketch.conv(first, 4)
    graph = Graph("two", sketch.tensors, tuple(sketch.ops), ("input",), (first, "t1"))
    result = plan(graph, ON)
    assert not overlap(result.activations[first], result.activations["t1"])
