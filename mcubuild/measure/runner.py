"""Runs a firmware over a test set and gathers what it costs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board
from mcubuild.measure.decode import Decoder
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.result import Measurement
from mcubuild.measure.session import Session
from mcubuild.measure.source import Source
from mcubuild.measure.summary import Run, summarise
from mcubuild.progress import bar
from mcubuild.spec.measure import MeasureSettings


def chosen(count: int, settings: MeasureSettings) -> NDArray[np.int64]:
    """Which of ``count`` test samples are run: all, or ``settings.samples`` drawn evenly; ascending int64 indices."""
    wanted = min(settings.samples or count, count)
    return np.arange(wanted, dtype=np.int64) * count // wanted


def measure(
    elf: Path, board: Board, settings: MeasureSettings, inputs: NDArray[np.int8], layers: list[str]
) -> Measurement:
    """Run the ELF on the chosen inputs and count.

    The firmware starts once. For each sample the input is written when it calls ``model_ready``, or rows of it whenever
    the firmware asks for them, which takes no time; the call of
    ``model_invoke`` is counted, and the output is read when it calls ``model_done``. The first sample is then run once
    more with every access to memory watched, which gives the cycles that caches and wait states cost. A firmware that
    keeps something from run to run begins each sample as after start-up; a sample may then be several runs.

    Args:
        elf: the linked firmware, unmodified.
        board: what to emulate.
        settings: how many samples.
        inputs: int8 (N, ...), one network input each; several inputs of a network stand one behind the other, and so do
            several runs of a sample.
        layers: names of the layers' C functions, in order.

    Raises:
        BuildError: the ELF does not follow the protocol, does not fit the board, faults or hangs; or the inputs are of
            another size than the firmware's.
    """
    firmware = read_firmware(elf)
    samples = np.ascontiguousarray(inputs[chosen(len(inputs), settings)])
    Source.of(firmware).check(samples)
    session = Session(board, firmware, layers)
    counter = session.emulator.counter
    outputs: list[NDArray[np.int8]] = []
    rows: dict[bytes, NDArray[np.int64]] = {}  # most samples take the same ways: each row of counts is kept once
    counts: list[NDArray[np.int64]] = []
    with bar("measure", len(samples) + 2) as progress:  # the profile and the summary take as long as some samples
        before = counter.counts
        for index, sample in enumerate(samples):
            answers = []
            for answer in session.run(sample, f"on sample {index}"):
                answers.append(answer)
                after = counter.counts
                row = after.copy()
                row[: len(before)] -= before
                counts.append(rows.setdefault(row.tobytes(), row))
                before = after
            outputs.append(np.concatenate(answers))
            progress.advance()
        edges, stack_bytes = counter.edges, session.stack_bytes
        profile = session.profile(samples[0])
        progress.advance()
        decode = Decoder(board.core, session.emulator.read).instructions
        result = summarise(Run(firmware, board, layers, decode, edges, counts, stack_bytes, profile, np.array(outputs)))
        progress.advance()
    return result
