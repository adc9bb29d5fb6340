"""From counted edges and one profiled inference to the figures of a measurement."""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts.measured import Range, Share
from mcubuild.board import Board
from mcubuild.errors import BuildError
from mcubuild.measure.counter import Edge
from mcubuild.measure.cycles.model import cycle_model
from mcubuild.measure.cycles.pipeline import CycleModel
from mcubuild.measure.cycles.walk import Decode, edge_cycles
from mcubuild.measure.elf import Firmware
from mcubuild.measure.instruction import Instruction, Kind
from mcubuild.measure.profile import Accesses, Profile
from mcubuild.measure.result import Measurement

_NEED_ALIGNMENT = {Kind.LOAD_MANY, Kind.STORE_MANY, Kind.FLOAT_LOAD, Kind.FLOAT_STORE}


@dataclass(frozen=True)
class Run:
    """Everything that was observed of a firmware."""

    firmware: Firmware
    board: Board
    layers: list[str]
    """Names of the layer functions."""
    decode: Decode
    edges: list[Edge]
    """Every way from block to block."""
    counts: list[NDArray[np.int64]]
    """How often each edge was taken in each run of each sample: int64 (edges,), shorter where the last ones were not
    known yet."""
    stack_bytes: int
    profile: Profile
    """One inference, watched."""
    outputs: NDArray[np.int8]
    """int8 (samples, output bytes)."""

    @property
    def totals(self) -> NDArray[np.int64]:
        """How often each edge was taken in all runs: int64 (edges,)."""
        totals = np.zeros(len(self.edges), np.int64)
        for row in self.counts:
            totals[: len(row)] += row
        return totals

    def of_runs(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each run costs, given the cost of each edge: float64 (runs,)."""
        return np.array([row @ costs[: len(row)] for row in self.counts])


def summarise(run: Run) -> Measurement:
    """The measurement.

    Raises:
        BuildError: the firmware does something that faults on silicon, though not in the emulator.
    """
    _check(run)
    model = cycle_model(run.board.core)
    lengths = np.array([len(run.decode(edge.block)) for edge in run.edges], np.float64)
    stalls = int(run.profile.layer_stalls.sum())
    costs = zero_wait = cycles = None
    if model is not None:
        without = _costs(run, model, memories=False)
        costs = _costs(run, model, memories=True) if model.sees_memories else without
        zero_wait = float(run.of_runs(without).mean())
        cycles = _range(run.of_runs(costs) + stalls)
    layers, outside, functions = _shares(run, lengths, costs)
    return Measurement(
        runner="emulator",
        core=run.board.core,
        cycle_model=f"{model.name}, {run.profile.description}"
        if model
        else "none: there is no cycle model of this core",
        uncertainty=model.uncertainty if model else None,
        samples=len(run.outputs),
        instructions=_range(run.of_runs(lengths)),
        cycles=cycles,
        zero_wait_cycles=zero_wait,
        latency_ms=cycles.mean / run.board.runs_at * 1e3 if cycles else None,
        clock_hz=run.board.runs_at,
        stack_bytes=run.stack_bytes,
        layers=layers,
        outside_layers=outside,
        functions=functions,
        outputs=run.outputs,
    )


def _costs(run: Run, model: CycleModel, memories: bool) -> NDArray[np.float64]:
    """Cycles of the core for one pass over each edge, float64 (edges,).

    Args:
        run: the edges.
        model: the core.
        memories: whether to take into account which memory each instruction was seen to access.
    """
    places = run.profile.places
    if not memories:
        places = {address: replace(place, memory="") for address, place in places.items()}

    def seen(instruction: Instruction) -> Accesses | None:
        return places.get(instruction.address)

    return edge_cycles(run.edges, run.totals, run.decode, lambda: model.pipeline(seen), model.history)


def _shares(
    run: Run, lengths: NDArray[np.float64], costs: NDArray[np.float64] | None
) -> tuple[tuple[Share, ...], Share, tuple[Share, ...]]:
    """What each layer, the rest, and each function take."""
    totals, runs = run.totals, len(run.counts)
    by_layer: dict[int, list[int]] = defaultdict(list)
    by_function: dict[str, list[int]] = defaultdict(list)
    for index, edge in enumerate(run.edges):
        by_layer[edge.layer].append(index)
        by_function[run.firmware.function_at(edge.block.start)].append(index)
    waits: dict[str, int] = defaultdict(int)
    for address, place in run.profile.places.items():
        waits[run.firmware.function_at(address)] += place.fetch_stalls + place.data_stalls

    def share(name: str, edges: list[int], waited: int) -> Share:
        cycles = float(totals[edges] @ costs[edges]) / runs + waited if costs is not None else None
        return Share(name, float(totals[edges] @ lengths[edges]) / runs, cycles)

    waited = [int(stalls) for stalls in run.profile.layer_stalls]
    layers = tuple(share(name, by_layer[index], waited[index]) for index, name in enumerate(run.layers))
    functions = [share(name, edges, waits[name]) for name, edges in by_function.items()]
    functions.sort(key=lambda function: (-function.instructions, function.name))
    return layers, share("outside of the layers", by_layer[-1], waited[-1]), tuple(functions)


def _check(run: Run) -> None:
    """What the emulator lets through and silicon does not."""
    board = run.board
    for instruction in sorted({i for edge in run.edges for i in run.decode(edge.block)}, key=lambda i: i.address):
        place = run.profile.places.get(instruction.address)
        if instruction.dsp and not board.dsp:
            problem, remedy = f"board {board.name!r} has no DSP extension", "Compile for this board's core."
        elif place and place.unaligned and instruction.kind in _NEED_ALIGNMENT:
            problem = f"it accesses an unaligned address, on which a {board.core} faults"
            remedy = "Align the buffer that it accesses."
        else:
            continue
        where = f"{instruction.operation.upper()} in {run.firmware.function_at(instruction.address)}"
        raise BuildError(f"{run.firmware.path}: {where} at 0x{instruction.address:08x}: {problem}. {remedy}")


def _range(values: NDArray[np.float64]) -> Range:
    return Range(float(values.min()), float(values.mean()), float(values.max()))
