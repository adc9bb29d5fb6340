"""Turns counted edges into cycles: each distinct block is run through the pipeline once for each way into it."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcubuild.measure.counter import Block, Edge
from mcubuild.measure.cycles.pipeline import Pipeline
from mcubuild.measure.instruction import Instruction

Decode = Callable[[Block], tuple[Instruction, ...]]
_Step = tuple[Instruction, bool]


def edge_cycles(
    edges: list[Edge], counts: NDArray[np.int64], decode: Decode, pipeline: Callable[[], Pipeline], history: int
) -> NDArray[np.float64]:
    """Cycles that one pass over each edge takes.

    The cost of an edge is the time of its block with what was executed before it, less the time of the latter. What
    was executed before is the edge's predecessor and, while that is short, its own most frequent predecessors. A taken
    branch's refill belongs to the edge that it leads to. Where a branch went two ways, the rarer one was mispredicted.

    Args:
        edges: the edges.
        counts: int64 (edges,), how often each was taken.
        decode: the instructions of a block.
        pipeline: makes the model of an empty pipeline.
        history: how many instructions back that model remembers; whole blocks are run, as pairs form from their start.

    Returns:
        float64 (edges,), cycles.
    """
    rare = _mispredicted(edges, counts)
    likely = _likely_predecessors(edges, counts)
    costs: dict[tuple[Block, Block], float] = {}
    result = np.empty(len(edges), np.float64)
    for index, edge in enumerate(edges):
        way = (edge.before, edge.block)
        if way not in costs:
            costs[way] = _cost(edge, likely, decode, pipeline, history)
        penalty = pipeline().misprediction(decode(edge.before)) if way in rare else 0.0
        result[index] = costs[way] + penalty
    return result


def _cost(
    edge: Edge, likely: dict[Block, Block], decode: Decode, pipeline: Callable[[], Pipeline], history: int
) -> float:
    past: list[_Step] = []
    block = edge.before
    while block.size and len(past) < history:
        before = likely[block]
        past = _steps(before, block, decode) + past
        block = before
    state = pipeline()
    _run(state, past)
    start = state.time
    _run(state, _steps(edge.before, edge.block, decode))
    return state.time - start


def _steps(before: Block, block: Block, decode: Decode) -> list[_Step]:
    """The instructions of ``block``, each with whether a branch led to it."""
    jumped = before.size > 0 and before.end != block.start
    return [(instruction, jumped and index == 0) for index, instruction in enumerate(decode(block))]


def _run(state: Pipeline, steps: list[_Step]) -> None:
    for instruction, jumped in steps:
        if jumped:
            state.redirect(instruction)
        state.issue(instruction)


def _totals(edges: list[Edge], counts: NDArray[np.int64]) -> dict[tuple[Block, Block], int]:
    totals: dict[tuple[Block, Block], int] = defaultdict(int)
    for edge, count in zip(edges, counts.tolist(), strict=True):
        totals[edge.before, edge.block] += count
    return totals


def _likely_predecessors(edges: list[Edge], counts: NDArray[np.int64]) -> dict[Block, Block]:
    """The block that was executed most often right before each block."""
    best: dict[Block, tuple[int, Block]] = {}
    for (before, block), count in _totals(edges, counts).items():
        best[block] = max(best.get(block, (-1, before)), (count, before))
    return {block: before for block, (_, before) in best.items()}


def _mispredicted(edges: list[Edge], counts: NDArray[np.int64]) -> set[tuple[Block, Block]]:
    """The ways out of each block other than the most frequent one."""
    ways: dict[Block, list[tuple[int, Block]]] = defaultdict(list)
    for (before, block), count in _totals(edges, counts).items():
        if before.size:
            ways[before].append((count, block))
    return {(before, block) for before, targets in ways.items() for _, block in sorted(targets)[:-1]}
