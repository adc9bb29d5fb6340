"""Chains: whatever streams, in whatever steps, nothing that is still needed is overwritten and no bit changes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.engine.emit.chaincode import Buffer, ChainCode, Output, folded
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.chain import Chain
from mcubuild.engine.memory.flow import STEPS, row_bytes
from mcubuild.engine.memory.pieces import Piece, pieces
from mcubuild.engine.memory.planner import ChainPlan, Plan, plan
from mcubuild.engine.memory.segments import Segment, chained, choose_segments, some_way, whole
from mcubuild.engine.memory.streaming import SOURCE, Call, Stage, progress, schedule
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.geometry import Rows
from mcubuild.ir.graph import Graph
from tests.engine.chains import FED, OFF, ON, check_bits, on_host, random_segments
from tests.engine.networks import mobile, packed_mobile
from tests.networks import random_inputs, random_network

Tags = Callable[[str, int, int], NDArray[np.int64]]


def longest_chains(cut: Sequence[Piece], step: int, *, fed: bool = False) -> list[Segment]:
    """Chains of everything that can stream: nothing else makes room in the arena for their mistakes."""
    result: list[Segment] = []
    while (start := result[-1].stop if result else 0) < len(cut):
        stop = start
        while stop < len(cut) and cut[stop].flow is not None:
            stop += 1
        pulled = fed and start == 0
        result.append(chained(cut, start, stop, step, fed=pulled) if stop > start else whole(cut, start))
    return result


@pytest.mark.parametrize("make", [mobile, packed_mobile, random_network])
@pytest.mark.parametrize("target", [ON, OFF, FED])
def test_no_row_is_overwritten_before_its_last_use(make: Callable[[int], Graph], target: Target) -> None:
    for seed in range(40):
        graph = make(seed)
        cut = pieces(graph, target)
        rng = np.random.default_rng(seed)
        longest = longest_chains(cut, int(rng.choice((1, 2, 3, 4))), fed=target.fed)
        for segments in (random_segments(cut, rng, fed=target.fed), longest, choose_segments(cut, 0, fed=target.fed)):
            replay(graph, plan(graph, target, segments), target)


def replay(graph: Graph, result: Plan, target: Target) -> None:
    """Runs the plan with a name in each byte instead of a value: every read must find the rows that it expects."""
    memory = np.full(result.arena, -1, np.int64)
    names = {tensor.name: number for number, tensor in enumerate(graph.activations())}

    def tag(name: str, first: int, stop: int) -> NDArray[np.int64]:
        """What lies in rows ``first`` to ``stop`` of a tensor: its number, and the bytes' places in it."""
        size = graph.tensor(name).nbytes // height(graph, name)
        return names[name] * 10**9 + np.arange(first * size, stop * size)

    (source,) = graph.inputs
    entry = result.activations[source]
    if not target.fed:
        memory[entry.offset : entry.offset + entry.nbytes] = tag(source, 0, height(graph, source))
    for index, op in enumerate(graph.ops):
        chain = result.chain_of(index)
        if chain is None:
            for name in op.operands:
                place = result.activations[name]
                found = memory[place.offset : place.offset + place.nbytes]
                assert (found == tag(name, 0, height(graph, name))).all(), f"layer {index} reads {name}"
            poison_scratch(memory, result, index)
            place = result.written(op.output)
            memory[place.offset : place.offset + place.nbytes] = tag(op.output, 0, height(graph, op.output))
        elif index == chain.steps.start:
            stream(graph, result, chain, memory, tag, target)
        if op.output in result.moves:
            before, after = result.moves[op.output], result.activations[op.output]
            moved = memory[before.offset : before.offset + before.nbytes].copy()
            memory[after.offset : after.offset + after.nbytes] = moved
    final = result.activations[graph.outputs[0]]
    expected = tag(graph.outputs[0], 0, height(graph, graph.outputs[0]))
    assert (memory[final.offset : final.offset + final.nbytes] == expected).all()


def height(graph: Graph, name: str) -> int:
    shape = graph.tensor(name).shape
    return shape[1] if len(shape) == 4 else 1


def poison_scratch(memory: NDArray[np.int64], result: Plan, index: int) -> None:
    if index in result.scratch:
        place = result.scratch[index]
        assert 0 <= place.offset <= place.offset + place.nbytes <= result.arena
        memory[place.offset : place.offset + place.nbytes] = -1


def stream(graph: Graph, result: Plan, chain: ChainPlan, memory: NDArray[np.int64], tag: Tags, target: Target) -> None:
    """What the generated driver and ``next_rows`` do."""
    code = ChainCode(graph, result, chain)
    state = code.tensors()
    order = code.order
    calls = [
        *order.calls[: order.begin],
        *order.calls[order.begin : order.end] * order.times,
        *order.calls[order.end :],
    ]
    for call in calls:
        output = state[call.stage + 1]
        row, stop = output.end, output.end + call.rows
        if call.stage == SOURCE:
            output, how = room_for(memory, output, code.output(0), call.rows, state), code.output(0)
            memory[at(output, row, how.bytes) : at(output, stop, how.bytes)] = tag(chain.first, row, stop)
            state[0] = replace(output, end=stop)
            continue
        index = chain.steps.start + call.stage
        layer, layer_call = layers(graph)[index], code.call(index)
        window, how = layer.vertical, layer_call.output
        top, bottom = window.outside(row, call.rows, layer.input_rows)
        begin = row * window.stride - window.padding
        if layer_call.shared:
            source = state[layer_call.sources[0].tensor]
            output = replace(output, offset=at(source, begin, layer_call.sources[0].bytes), first=row)
        else:
            output = room_for(memory, output, how, call.rows, state)
        poison_scratch(memory, result, index)
        for source in (state[source.tensor] for source in layer_call.sources):
            first, end = begin + top, begin + window.span(call.rows) - bottom
            size = row_bytes(graph.tensor(source.name))
            found = memory[at(source, first, size) : at(source, end, size)]
            assert (found == tag(source.name, first, end)).all(), f"layer {index} reads {source.name} from row {first}"
        memory[at(output, row, how.bytes) : at(output, stop, how.bytes)] = tag(layer.op.output, row, stop)
        state[call.stage + 1] = replace(output, end=stop)
        assert choose(layer, target).scratch_bytes(layer, call.rows) <= (
            result.scratch[index].nbytes if index in result.scratch else 0
        )


def room_for(memory: NDArray[np.int64], buffer: Buffer, how: Output, rows: int, state: Sequence[Buffer]) -> Buffer:
    """What ``next_rows`` does."""
    stop = buffer.end + rows
    if stop > buffer.first + how.capacity:
        keep = min([buffer.end, *(state[r.tensor].end * r.stride - r.padding for r in how.readers)])
        kept = memory[at(buffer, keep, how.bytes) : at(buffer, buffer.end, how.bytes)].copy()
        memory[buffer.offset : buffer.offset + len(kept)] = kept
        buffer = replace(buffer, first=keep)
    assert stop <= buffer.first + how.capacity
    return buffer


def at(buffer: Buffer, row: int, size: int) -> int:
    """Where a row lies."""
    place = buffer.offset + (row - buffer.first) * size
    assert place >= 0
    return place


@pytest.mark.parametrize("seed", range(5))
def test_any_chains_compute_the_same(tmp_path: Path, seed: int) -> None:
    check_bits(mobile(seed), tmp_path, seed)
    check_bits(random_network(seed, 8 if seed % 2 else 4), tmp_path, seed)


@pytest.mark.parametrize("seed", range(2))
def test_any_chains_of_packed_rows_compute_the_same(tmp_path: Path, seed: int) -> None:
    check_bits(packed_mobile(seed), tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 60))
def test_many_chains_compute_the_same(tmp_path: Path, seed: int) -> None:
    check_bits(mobile(seed), tmp_path, seed)
    check_bits(packed_mobile(seed), tmp_path, seed)
    check_bits(random_network(seed, 8 if seed % 2 else 4), tmp_path, seed)


@pytest.mark.parametrize("step", [1, 2])
def test_windows_that_reach_below_alone(tmp_path: Path, step: int) -> None:
    """2x2 with stride 2 on an odd height: padding below and none above."""
    sketch = Sketch((1, 9, 6, 3))
    sketch.conv(sketch.conv(sketch.conv("input", 4), 5, 2, 2), 3)
    graph = with_random_values(sketch.graph())
    inputs = random_inputs(graph, 3)
    result = plan(graph, ON, longest_chains(pieces(graph, ON), step))
    outputs = on_host(graph, result, tmp_path / "c", ON, inputs)
    np.testing.assert_array_equal(outputs, run(graph, inputs).reshape(len(inputs), -1))


def test_a_chain_needs_what_its_stretches_need() -> None:
    """Row buffers are sized stretch by stretch; the calls of the whole chain need no more, and mostly that much."""
    tight = total = 0
    for seed in range(60):
        graph = mobile(seed)
        cut = [piece for piece in pieces(graph, OFF) if piece.flow]
        flows = [piece.flow for piece in cut if piece.flow]
        stages, names, heights = joined(graph, cut)
        for step in STEPS:
            run = schedule(stages, heights, step)
            chain = Chain.of(step, flows)
            buffers = {chain.name(place): size for place, size in chain.buffers().items()}
            assert sum(buffers.values()) + max(flow.needs(step).scratch for flow in flows) == chain.working
            for name, rows in list(zip(names, run.capacities, strict=True))[1:-1]:
                size = row_bytes(graph.tensor(name))
                assert buffers[name] >= rows * size
                tight += buffers[name] < (rows + 1) * size
                total += 1
    assert tight > 0.95 * total


def joined(graph: Graph, cut: Sequence[Piece]) -> tuple[list[Stage], list[str], int]:
    own = [layers(graph)[index] for piece in cut for index in piece.steps]
    names = [*graph.inputs, *(layer.op.output for layer in own)]
    stages = [Stage(layer.vertical, tuple(names.index(n) for n in layer.op.operands)) for layer in own]
    return stages, names, own[0].input_rows


def test_lead_is_the_least_distance_that_the_calls_allow() -> None:
    for seed in range(40):
        graph = mobile(seed)
        cut = [piece for piece in pieces(graph, ON) if piece.flow]
        rng = np.random.default_rng(seed)
        start = int(rng.integers(len(cut)))
        part = cut[start : int(rng.integers(start, len(cut))) + 1]
        step = int(rng.choice(STEPS))
        flows = [piece.flow for piece in part if piece.flow]
        own = [layers(graph)[index] for piece in part for index in piece.steps]
        names = [flows[0].names[0], *(layer.op.output for layer in own)]
        stages = [Stage(layer.vertical, tuple(names.index(n) for n in layer.op.operands)) for layer in own]
        first, last = row_bytes(flows[0].entry), row_bytes(flows[-1].exit)
        lead, done = 0, [0] * len(names)
        for call in schedule(stages, flows[0].entry.shape[1], step).calls:
            if call.stage == len(stages) - 1:
                needed = [
                    max(done[index + 1] * stage.window.stride - stage.window.padding, 0)
                    for index, stage in enumerate(stages)
                    if 0 in stage.sources
                ]
                lead = max(lead, (done[-1] + call.rows) * last - min(needed) * first)
            done[call.stage + 1] += call.rows
        assert Chain.of(step, flows).lead == -(-lead // 4) * 4


@pytest.mark.parametrize("target", [ON, FED])
def test_the_smallest_and_the_fastest_of_all_ways_are_found(target: Target) -> None:
    """Against every segment there is: the least arena, and for each larger one the fewest cycles."""
    for seed in range(6):
        cut = pieces(mobile(seed), target)
        every = every_segment(cut, target.fed)
        heights = sorted({segment.height for segment in every})
        cycles = {height: fewest_cycles(cut, every, height, target.fed) for height in heights}
        possible = [height for height in heights if cycles[height] is not None]
        assert max(segment.height for segment in choose_segments(cut, 0, fed=target.fed)) == possible[0]
        assert [bool(some_way(cut, height, fed=target.fed)) for height in heights] == [
            height >= possible[0] for height in heights
        ]
        for height in possible[:: max(1, len(possible) // 12)]:
            way = some_way(cut, height, fed=target.fed)
            assert max(segment.height for segment in way) <= height
            assert [segment.start for segment in way[1:]] + [len(cut)] == [segment.stop for segment in way]
            chosen = choose_segments(cut, height, fed=target.fed)
            assert max(segment.height for segment in chosen) <= height
            fewest = sum(segment.cycles for segment in chosen)
            assert fewest == cycles[height]
            assert sum(piece.least_cycles for piece in cut) <= fewest <= sum(segment.cycles for segment in way)


def every_segment(cut: Sequence[Piece], fed: bool) -> list[Segment]:
    result = [whole(cut, index) for index in range(len(cut)) if not (fed and index == 0)]
    for start in range(len(cut)):
        stop = start + 1
        while stop <= len(cut) and cut[stop - 1].flow is not None:
            result += [chained(cut, start, stop, step, fed=fed and start == 0) for step in STEPS]
            stop += 1
    return result


def fewest_cycles(cut: Sequence[Piece], every: Sequence[Segment], height: int, fed: bool) -> int | None:
    """Over all rows of segments within ``height`` whose chains contain a piece that does not fit otherwise."""
    misfits = [index for index, piece in enumerate(cut) if piece.height > height or (fed and index == 0)]
    useful = [
        segment
        for segment in every
        if segment.height <= height
        and (not segment.step or any(m in range(segment.start, segment.stop) for m in misfits))
    ]
    best: list[int | None] = [*[None] * len(cut), 0]
    for start in reversed(range(len(cut))):
        ends = [(segment.cycles, best[segment.stop]) for segment in useful if segment.start == start]
        best[start] = min((cycles + rest for cycles, rest in ends if rest is not None), default=None)
    return best[0]


def test_rows_are_pulled_as_progress_says() -> None:
    stages = [
        Stage(Rows(16), (0,)),
        Stage(Rows(16, 3, 1, 1), (1,)),
        Stage(Rows(16), (0, 2)),
        Stage(Rows(8, 5, 2, 1), (3,)),
    ]
    state = progress(stages, 16)
    assert state.written.tolist() == [0, 5, 7, 9, 11, 13, 15, 16, 16]
    assert state.oldest.tolist() == [0, 4, 6, 8, 10, 12, 14, 16, 16]
    assert (state.read_last == 16).all()


def test_repetitions_are_written_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        head, period, tail = ([Call(int(n), 1) for n in rng.integers(0, 3, int(rng.integers(1, 6)))] for _ in range(3))
        calls = [*head, *period * int(rng.integers(1, 9)), *tail]
        order = folded(calls)
        unfolded = [*order.calls[: order.begin], *order.calls[order.begin : order.end] * order.times]
        assert [*unfolded, *order.calls[order.end :]] == calls
        assert len(order.calls) <= len(head) + len(period) + len(tail)


def exhaustive(cut: Sequence[Piece], bound: int, limit: int) -> tuple[int, int]:
    """Over all ways to cut and all steps: the cycles of the fastest in ``bound`` bytes, and the smallest arena.

    Chains hold a piece that does not fit ``limit``, which is what one asks for.
    """

    def streams(chain: Sequence[Piece]) -> bool:
        return all(piece.flow for piece in chain) and any(piece.height > limit for piece in chain)

    fastest, least = 10**18, 10**18
    for choice in range(1 << (len(cut) - 1)):
        edges = [0, *(index + 1 for index in range(len(cut) - 1) if choice >> index & 1), len(cut)]
        options: list[list[tuple[int, int]]] = []
        for start, stop in pairwise(edges):
            ways = [chained(cut, start, stop, step) for step in STEPS] if streams(cut[start:stop]) else []
            if stop == start + 1:
                ways.append(whole(cut, start))
            options.append([(way.height, way.cycles) for way in ways])
        if all(options):
            least = min(least, max(min(height for height, _ in ways) for ways in options))
            fitting = [[cycles for height, cycles in ways if height <= bound] for ways in options]
            if all(fitting):
                fastest = min(fastest, sum(min(ways) for ways in fitting))
    return fastest, least


def test_choice_is_the_best_of_all() -> None:
    for seed in range(12):
        cut = pieces(mobile(seed), ON)[:7]
        _, least = exhaustive(cut, 0, 0)
        highest = max(piece.height for piece in cut)
        smallest = choose_segments(cut, 0)
        assert max(segment.height for segment in smallest) == least
        assert sum(segment.cycles for segment in smallest) == exhaustive(cut, least, 0)[0]
        for limit in (least, (least + highest) // 2, highest):
            chosen = choose_segments(cut, limit)
            assert max(segment.height for segment in chosen) <= limit
            assert sum(segment.cycles for segment in chosen) == exhaustive(cut, limit, limit)[0]
        assert all(segment.step == 0 for segment in choose_segments(cut, None))
