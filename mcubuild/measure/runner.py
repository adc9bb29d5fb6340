"""Runs a firmware over a test set and gathers what it costs."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board
from mcubuild.errors import BuildError
from mcubuild.measure.counter import Edge
from mcubuild.measure.cycles.flat import FlatModel
from mcubuild.measure.decode import Decoder
from mcubuild.measure.elf import Firmware, read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.result import Measurement, Range, Share, write
from mcubuild.progress import bar
from mcubuild.spec.measure import MeasureSettings

__all__ = ["chosen", "measure", "write"]

_START_LIMIT = 200_000_000
_INFERENCE_LIMIT = 100_000_000_000
_PAINT = b"\xa5\x5a\xc3\x3c"


def chosen(count: int, settings: MeasureSettings) -> NDArray[np.int64]:
    """Which of ``count`` test samples are run: all, or ``settings.samples`` drawn evenly; ascending int64 indices."""
    wanted = min(settings.samples or count, count)
    return np.arange(wanted, dtype=np.int64) * count // wanted


def measure(
    elf: Path, board: Board, settings: MeasureSettings, inputs: NDArray[np.int8], layers: list[str]
) -> Measurement:
    """Run the ELF on the chosen inputs and count.

    The firmware starts once. For each sample the input is written when it calls ``model_ready``, the call of
    ``model_invoke`` is counted, and the output is read when it calls ``model_done``.

    Args:
        elf: the linked firmware, unmodified.
        board: what to emulate.
        settings: how many samples.
        inputs: int8 (N, ...), one network input each.
        layers: names of the layers' C functions, in order.

    Raises:
        BuildError: the ELF does not follow the protocol, does not fit the board, faults or hangs; or the inputs do not
            have the size of ``model_input``.
    """
    firmware = read_firmware(elf)
    samples = np.ascontiguousarray(inputs[chosen(len(inputs), settings)])
    place = firmware.symbol("model_input")
    if samples.dtype != np.int8 or samples[0].nbytes != place.size:
        raise BuildError(
            f"{elf}: an input is {place.size} bytes of int8 (symbol model_input); "
            f"found {samples.dtype} {samples.shape[1:]}, {samples[0].nbytes} bytes."
        )
    run = _run(firmware, board, samples, layers)
    return _summary(run, board, layers)


@dataclass(frozen=True)
class _Run:
    firmware: Firmware
    emulator: Emulator
    edges: list[Edge]
    counts: NDArray[np.int64]
    """How often each edge was taken in each sample: int64 (samples, edges)."""
    outputs: NDArray[np.int8]
    stack_bytes: int


def _run(firmware: Firmware, board: Board, samples: NDArray[np.int8], layers: list[str]) -> _Run:
    ready, invoke, done = (firmware.symbol(f"model_{name}").address for name in ("ready", "invoke", "done"))
    place, result = firmware.symbol("model_input"), firmware.symbol("model_output")
    emulator = Emulator(board, firmware, layers)
    counter = emulator.counter
    outputs = np.empty((len(samples), result.size), np.int8)
    snapshots = [counter.counts]
    emulator.run(ready, _START_LIMIT, "starting up")
    _paint(emulator, firmware)
    with bar("measure", len(samples)) as progress:
        for index, sample in enumerate(samples):
            doing = f"on sample {index}"
            if index > 0:
                emulator.run(ready, _START_LIMIT, doing)
            emulator.write(place.address, sample.tobytes())
            emulator.run(invoke, _START_LIMIT, doing)
            counter.count(True)
            emulator.run(emulator.link_register, _INFERENCE_LIMIT, doing)
            counter.count(False)
            emulator.run(done, _START_LIMIT, doing)
            outputs[index] = np.frombuffer(emulator.read(result.address, result.size), np.int8)
            snapshots.append(counter.counts)
            progress.advance()
    counts = np.zeros((len(snapshots), len(snapshots[-1])), np.int64)
    for row, snapshot in zip(counts, snapshots, strict=True):
        row[: len(snapshot)] = snapshot
    stack_bytes = _deepest(emulator, firmware)
    return _Run(firmware, emulator, counter.edges, np.diff(counts, axis=0), outputs, stack_bytes)


def _paint(emulator: Emulator, firmware: Firmware) -> None:
    bottom = firmware.symbol("__stack_bottom").address
    emulator.write(bottom, _PAINT * ((emulator.stack_pointer - bottom) // 4))


def _deepest(emulator: Emulator, firmware: Firmware) -> int:
    bottom, top = firmware.symbol("__stack_bottom").address, firmware.symbol("__stack_top").address
    words = np.frombuffer(emulator.read(bottom, (top - bottom) // 4 * 4), np.uint32)
    touched = np.flatnonzero(words != np.frombuffer(_PAINT, np.uint32)[0])
    if touched[0] == 0:
        raise BuildError(
            f"{firmware.path}: the stack of {top - bottom} bytes is used up to its last word and may have run over; "
            "raise [firmware] stack."
        )
    return int(top - bottom - 4 * touched[0])


def _summary(run: _Run, board: Board, layers: list[str]) -> Measurement:
    decoder = Decoder(board.core, run.emulator.read)
    model = FlatModel(board)
    lengths = np.array([len(decoder.instructions(edge.block)) for edge in run.edges], np.int64)
    costs = np.array([model.cycles(edge, decoder.instructions(edge.block)) for edge in run.edges], np.float64)
    mean = run.counts.mean(axis=0)
    by_layer: dict[int, list[int]] = defaultdict(list)
    by_function: dict[str, list[int]] = defaultdict(list)
    for index, edge in enumerate(run.edges):
        by_layer[edge.layer].append(index)
        by_function[run.firmware.function_at(edge.block.start)].append(index)

    def share(name: str, indices: list[int]) -> Share:
        return Share(name, float(mean[indices] @ lengths[indices]), float(mean[indices] @ costs[indices]))

    cycles = _range(run.counts @ costs)
    functions = [share(name, indices) for name, indices in by_function.items()]
    return Measurement(
        runner="emulator",
        core=board.core,
        cycle_model=model.name,
        uncertainty=model.uncertainty,
        samples=len(run.counts),
        instructions=_range(run.counts @ lengths),
        cycles=cycles,
        latency_ms=cycles.mean / board.clock * 1e3,
        clock_hz=board.clock,
        stack_bytes=run.stack_bytes,
        layers=tuple(share(name, by_layer[index]) for index, name in enumerate(layers)),
        outside_layers=share("outside of the layers", by_layer[-1]),
        functions=tuple(sorted(functions, key=lambda function: (-function.instructions, function.name))),
        outputs=run.outputs,
    )


def _range(values: NDArray[np.int64] | NDArray[np.float64]) -> Range:
    return Range(float(values.min()), float(values.mean()), float(values.max()))
