"""Networks whose firmware answers samples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board, read_board
from mcubuild.device.firmware import make
from mcubuild.device.semihosting import Emulated, Semihosted
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.tasks.anomaly_detection.reading import Anomaly
from mcubuild.tasks.detection.reading import Detection
from mcubuild.toolchain.firmware import Wire
from tests.networks import random_inputs

BOARD = read_board("stm32f412")
SETTINGS = FirmwareSettings()


@dataclass(frozen=True)
class Served:
    """A network with its C, some samples, and what it answers."""

    code: Path
    board: Board
    samples: NDArray[np.int8]
    expected: NDArray[np.int8]
    settings: FirmwareSettings = SETTINGS

    def elf(self, out: Path, wire: Wire = "semihosting") -> Path:
        """Its firmware."""
        return make(self.code, self.board, self.settings, wire, out)

    def emulated(self, out: Path) -> Semihosted:
        """Its firmware in the emulator."""
        firmware = read_firmware(self.elf(out))
        return Semihosted(Emulated(Emulator(self.board, firmware, []), firmware))


def serve(
    graph: Graph,
    folder: Path,
    board: Board = BOARD,
    engine: EngineSettings | None = None,
    reads: Detection | Anomaly | None = None,
    settings: FirmwareSettings = SETTINGS,
) -> Served:
    """``graph`` as C in ``folder``, which is made; ``reads`` says what the device computes after it."""
    target, samples = Target.of(board, engine or EngineSettings()), random_inputs(graph, 4)
    after = None if reads is None else reads.decoding if isinstance(reads, Detection) else reads.errors
    folder.mkdir()
    planned = plan(graph, target)
    generate(graph, planned, target, folder, stack=settings.stack, after=after, prefix=settings.prefix)
    expected = run(graph, samples).reshape(len(samples), -1)
    if reads is not None:
        expected = reads.completed(expected, samples)
    return Served(folder, board, samples, expected, settings)
