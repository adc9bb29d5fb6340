"""Constants in tightly coupled memory: the same outputs from fewer cycles, in firmware that anybody may relink."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import Board, read_board
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from tests.engine.building import build
from tests.engine.networks import keyword_like
from tests.networks import random_inputs
from tests.toolchains import TOOLCHAINS


def cycles(graph: Graph, board: Board, toolchain: str, folder: Path) -> tuple[float, float, int]:
    """Cycles with memory that never waits, with the board's, and bytes of constants in fast memory."""
    folder.mkdir()
    build(graph, board, FirmwareSettings.model_validate({"toolchain": toolchain}), folder)
    inputs = random_inputs(graph, 2)
    measured = measure(folder / "firmware.elf", board, MeasureSettings(), inputs, [])
    np.testing.assert_array_equal(measured.outputs, run(graph, inputs).reshape(2, -1))
    sections = json.loads((folder / "sizes.json").read_text())["sections"]
    assert measured.zero_wait_cycles is not None and measured.cycles is not None
    return measured.zero_wait_cycles, measured.cycles.mean, sections.get(".fast_weights", {"bytes": 0})["bytes"]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_fewer_cycles(toolchain: str, tmp_path: Path) -> None:
    graph, board = keyword_like(), read_board("stm32f746")
    plain = board.model_copy(update={"memory": tuple(m for m in board.memory if not m.code_only)})
    ideal, slow, nothing = cycles(graph, plain, toolchain, tmp_path / "plain")
    _, fast, moved = cycles(graph, board, toolchain, tmp_path / "fast")
    assert nothing == 0
    assert 3 * 64 * 64 < moved < 16 << 10
    assert fast - ideal < (slow - ideal) / 3
