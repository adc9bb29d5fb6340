"""What a boot ROM wants in front of the vector table."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from pydantic import ValidationError
from unicorn import arm_const

from mcubuild.measure.runner import measure
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain.boot import ASSEMBLY, checksum, second_stage
from mcubuild.toolchain.sizes import read_image
from tests.toolchain.building import build
from tests.toolchain.handwritten import board_with, expected, inputs, write_model
from tests.toolchain.plain_unicorn import Core

RP2040: dict[str, Any] = {
    "boot": "rp2040",
    "cache": {"instruction": 8192, "data": 8192, "line": 8},
    "memory": [
        {"name": "XIP", "kind": "flash", "origin": 0x1000_0000, "size": "2MB", "wait_states": 384},
        {"name": "SRAM", "kind": "ram", "origin": 0x2000_0000, "size": "256kB", "wait_states": 0},
    ],
}


def test_the_checksum_is_the_roms() -> None:
    """CRC-32/MPEG-2 has these parameters; its check value is the one of published catalogues of CRCs."""
    assert checksum(b"123456789") == 0x0376E6E7


def test_the_code_is_the_assembly(tmp_path: Path) -> None:
    (tmp_path / "boot.S").write_text(f".syntax unified\n.thumb\n{ASSEMBLY}")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"]
    subprocess.run([*command, "-c", "boot.S", "-o", "boot.o"], check=True, cwd=tmp_path)
    with (tmp_path / "boot.o").open("rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        assert section is not None
        code = section.data()
    words = np.array(second_stage(), "<u4")
    assert len(words) == 64 and words.tobytes()[: len(code)] == code
    assert words[-1] == checksum(words[:-1].tobytes())
    assert not words[len(code) // 4 : -1].any()


def test_an_rp2040_starts_from_its_second_stage(tmp_path: Path) -> None:
    """As the ROM does it: the first 256 bytes copied to RAM and run there."""
    board = board_with("cortex-m0plus", **RP2040)
    out = build(write_model(tmp_path / "c"), board, FirmwareSettings())
    image = (out / "firmware.bin").read_bytes()
    assert image[:256] == np.array(second_stage(), "<u4").tobytes()
    vectors = next(s for s in read_image(out / "firmware.elf").sections if s.name == ".vectors")
    assert vectors.address == board.vector_table == 0x1000_0100
    core = Core(out, board)
    core.uc.mem_map(0x1800_0000, 4096)  # the serial interface
    core.uc.mem_write(0x2003_FF00, image[:256])
    core.uc.reg_write(arm_const.UC_ARM_REG_SP, 0x2003_FF00)
    core.pc = 0x2003_FF00
    core.run_to("Reset_Handler")
    written = {
        offset: int.from_bytes(core.uc.mem_read(0x1800_0000 + offset, 4), "little") for offset in (0, 8, 20, 244)
    }
    assert written == {0: 0x001F_0300, 8: 1, 20: 4, 244: 0x0300_0218}
    assert int.from_bytes(core.uc.mem_read(0xE000_ED08, 4), "little") == 0x1000_0100
    assert core.uc.reg_read(arm_const.UC_ARM_REG_SP) == int.from_bytes(image[256:260], "little")
    core.run_to("model_ready")


def test_an_rp2040_in_the_emulator(tmp_path: Path) -> None:
    board = board_with("cortex-m0plus", **RP2040)
    elf = build(write_model(tmp_path / "c"), board, FirmwareSettings()) / "firmware.elf"
    found = measure(elf, board, MeasureSettings(), inputs(0)[None], [])
    np.testing.assert_array_equal(found.outputs, [expected(inputs(0))])
    assert found.cycles is not None and found.zero_wait_cycles is not None
    assert found.cycles.mean > found.zero_wait_cycles + 384


@pytest.mark.parametrize(
    ("core", "origin", "told"),
    [
        ("cortex-m0plus", 0x1000_0000, 'boot = "rp2040"'),
        ("cortex-m33", 0x1000_0000, "image definition"),
        ("cortex-m7", 0x6000_0000, "outside of the chip"),
        ("cortex-m7", 0x9000_0000, "outside of the chip"),
    ],
)
def test_flash_that_a_chip_does_not_start_from(core: str, origin: int, told: str) -> None:
    memory = [{**RP2040["memory"][0], "origin": origin}, RP2040["memory"][1]]
    with pytest.raises(ValidationError, match=told):
        board_with(core, memory=memory)


def test_other_chips_start_from_a_vector_table_at_that_address() -> None:
    board = board_with("cortex-m0plus", memory=RP2040["memory"], boot="vectors")
    assert board.vector_table == 0x1000_0000
    with pytest.raises(ValidationError, match="cortex-m0plus at 0x10000000"):
        board_with("cortex-m4", boot="rp2040", memory=[{**RP2040["memory"][0], "origin": 0}, RP2040["memory"][1]])


def test_serial_flash_waits() -> None:
    memory = [{**RP2040["memory"][0], "wait_states": 0}, RP2040["memory"][1]]
    with pytest.raises(ValidationError, match=r"wait_states = 0.* 384 cycles"):
        board_with("cortex-m0plus", memory=memory, boot="rp2040")
