"""From C to an ELF that runs."""

from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import Board, board_names, read_board
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain import firmware
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.handwritten import board_with, expected, write_model
from tests.toolchain.plain_unicorn import Core

BOARDS = [*board_names(), "cortex-m0plus", "cortex-m3", "cortex-m33"]


def build(folder: Path, board: Board, settings: FirmwareSettings) -> Path:
    firmware.generate(board, settings.stack, folder)
    out = folder.parent / "out"
    out.mkdir()
    compiling.link(folder, board, settings, out)
    return out


def board_named(name: str) -> Board:
    return read_board(name) if name in board_names() else board_with(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BOARDS)
def test_the_firmware_runs_from_reset_to_the_output(name: str, toolchain: ToolchainName, tmp_path: Path) -> None:
    board = board_named(name)
    out = build(write_model(tmp_path / "c"), board, FirmwareSettings(toolchain=toolchain))
    core = Core(out, board)
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, 64, dtype=np.int8)
        core.run_to("model_ready")
        core.write("model_input", x.tobytes())
        core.run_to("model_done")
        assert core.read("model_output") == expected(x).tobytes()
