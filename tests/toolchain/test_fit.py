"""Firmware that does not fit its board ends in a table that says by how much, and because of what."""

import json
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.errors import BuildError
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.building import build
from tests.toolchain.handwritten import write_model

KB = 1024


def test_too_many_weights(toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "c", extra_weights=1100 * KB)
    with pytest.raises(BuildError) as caught:
        build(folder, read_board("stm32f746"), FirmwareSettings(toolchain=toolchain))
    message = str(caught.value)
    assert message.startswith("the firmware does not fit STM32F746xG:")
    flash = next(line.split() for line in message.splitlines() if line.startswith("  FLASH"))
    assert flash[1:5] == ["1.08", "MB", "1.00", "MB"]
    assert 77 < float(flash[5]) < 80  # 1100 kB of weights and 2 to 3 kB of the rest; kB over
    assert "many_weights" in message
    assert message.index("many_weights") < message.index("weights_1 ")
    ram = next(line for line in message.splitlines() if line.startswith("  DTCM + SRAM1 + SRAM2"))
    assert ram.split()[-2:] == ["320.0", "kB"]  # and nothing over
    assert "budget" in message


@pytest.mark.parametrize(("name", "too_much"), [("stm32f412", 0), ("stm32f746", 0), ("stm32h743", 4096)])
def test_too_large_an_arena(name: str, too_much: int, toolchain: ToolchainName, tmp_path: Path) -> None:
    board = read_board(name)
    folder = write_model(tmp_path / "c", arena=board.sram_bytes + too_much)
    with pytest.raises(BuildError) as caught:
        build(folder, board, FirmwareSettings(toolchain=toolchain, stack=4096))
    assert "4.0 kB" in str(caught.value)
    assert "model_arena" in str(caught.value)


def test_the_last_byte_counts(toolchain: ToolchainName, tmp_path: Path) -> None:
    board, settings = read_board("stm32f412"), FirmwareSettings(toolchain=toolchain, stack=4096)
    most = board.sram_bytes - 4096 - 32
    out = build(write_model(tmp_path / "fits" / "c", arena=most), board, settings)
    memory = json.loads((out / "sizes.json").read_text())["memories"]["SRAM1"]
    assert memory["used"] == memory["size"]
    with pytest.raises(BuildError, match="does not fit"):
        build(write_model(tmp_path / "not" / "c", arena=most + 1), board, settings)
