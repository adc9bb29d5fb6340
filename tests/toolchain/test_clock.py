"""The clock set-up, against a model of the registers that it programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcubuild.board import Board, board_files, board_in, read_board
from mcubuild.errors import BuildError
from mcubuild.measure.runner import measure
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.building import build
from tests.toolchain.handwritten import board_with, inputs, write_model
from tests.toolchain.plain_unicorn import Core


@dataclass(frozen=True)
class Follows:
    """A status bit that hardware sets once control bits are set (and other status bits are)."""

    status: tuple[int, int]
    """Register, value to OR."""
    control: tuple[int, int]
    """Register, mask that must be set."""


RCC, PWR, FLASH = 0x4002_3800, 0x4000_7000, 0x4002_3C00
CLASSIC = [
    Follows((RCC, 1 << 25), (RCC, 1 << 24)),  # PLLRDY, PLLON
    Follows((PWR + 4, 1 << 16), (PWR, 1 << 16)),  # ODRDY, ODEN
    Follows((PWR + 4, 1 << 17), (PWR, 1 << 17)),  # ODSWRDY, ODSWEN
    Follows((RCC + 8, 2 << 2), (RCC + 8, 2)),  # SWS, SW
]
RCC7, PWR7, SYSCFG7, FLASH7 = 0x5802_4400, 0x5802_4800, 0x5800_0400, 0x5200_2000
H7 = [
    Follows((PWR7 + 4, 1 << 13), (PWR7 + 0xC, 2)),  # ACTVOSRDY, LDOEN
    Follows((PWR7 + 0x18, 1 << 13), (PWR7 + 0x18, 3 << 14)),  # VOSRDY, VOS
    Follows((RCC7, 1 << 25), (RCC7, 1 << 24)),  # PLL1RDY, PLL1ON
    Follows((RCC7 + 0x10, 3 << 3), (RCC7 + 0x10, 3)),  # SWS, SW
]
RESET = {RCC: 0x83, RCC + 4: 0x2400_3010, PWR7 + 0xC: 6, RCC7 + 0x28: 0x0202_0200, RCC7 + 0x2C: 0x01FF_0000}


class Registers:
    """Status bits follow control bits when they are read."""

    reported: int
    """What the firmware says its clock is, in Hz."""

    def __init__(self, core: Core, rules: list[Follows]) -> None:
        from unicorn import unicorn_const

        self.uc, self.rules = core.uc, rules
        for address, value in RESET.items():
            self.write(address, value)
        core.uc.hook_add(unicorn_const.UC_HOOK_MEM_READ, self._on_read, begin=0x4000_0000, end=0x5FFF_FFFF)

    def read(self, address: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, 4), "little")

    def write(self, address: int, value: int) -> None:
        self.uc.mem_write(address, value.to_bytes(4, "little"))

    def _on_read(self, uc: Any, access: int, address: int, size: int, value: int, data: Any) -> None:
        for rule in self.rules:
            register, mask = rule.control
            if rule.status[0] == address and self.read(register) & mask == mask:
                self.write(address, self.read(address) | rule.status[1])


def classic_clock(registers: Registers) -> float:
    """Core clock of an STM32F4 or F7, in Hz (RM0402 and RM0385: RCC_PLLCFGR, RCC_CFGR)."""
    pll, configuration = registers.read(RCC + 4), registers.read(RCC + 8)
    assert not pll & 1 << 22, "the source is not the internal oscillator"
    m, n, p = pll & 0x3F, pll >> 6 & 0x1FF, 2 * ((pll >> 16 & 3) + 1)
    assert 1e6 <= 16e6 / m <= 2e6
    assert 100e6 <= 16e6 / m * n <= 432e6
    assert pll >> 24 & 15 >= 2
    assert configuration & 0xF0 == 0, "AHB divider"
    return 16e6 / m * n / p if configuration & 3 == 2 else 16e6


def h7_clock(registers: Registers) -> float:
    """Core clock of an STM32H7, in Hz (RM0433: RCC_PLLCKSELR, RCC_PLL1DIVR, RCC_CFGR)."""
    source, pll, divider = (registers.read(RCC7 + offset) for offset in (0x28, 0x2C, 0x30))
    assert source & 3 == 0, "the source is not the internal oscillator"
    reference = 64e6 / (source >> 4 & 0x3F)
    assert pll >> 2 & 3 == 3 and 8e6 <= reference <= 16e6, "input range"
    assert pll & 2 == 0 and pll & 1 << 16, "wide range, output P on"
    vco = reference * ((divider & 0x1FF) + 1)
    assert 192e6 <= vco <= 960e6
    assert registers.read(RCC7 + 0x18) & 0xF0F == 8, "core not divided, AXI halved"
    return vco / ((divider >> 9 & 0x7F) + 1) if registers.read(RCC7 + 0x10) & 7 == 3 else 64e6


def at_model_ready(board: Board, rules: list[Follows], toolchain: ToolchainName, folder: Path) -> Registers:
    core = Core(build(write_model(folder / "c"), board, FirmwareSettings(toolchain=toolchain)), board)
    registers = Registers(core, rules)
    core.run_to("model_ready")
    registers.reported = int.from_bytes(core.read("model_clock_hz"), "little")
    return registers


@pytest.mark.parametrize(
    ("name", "rules", "clock"),
    [
        ("stm32f412", CLASSIC, classic_clock),
        ("stm32f746", CLASSIC, classic_clock),
        ("stm32f765", CLASSIC, classic_clock),
        ("stm32h743", H7, h7_clock),
    ],
)
def test_the_core_reaches_the_clock_of_its_board(
    name: str,
    rules: list[Follows],
    clock: Callable[[Registers], float],
    toolchain: ToolchainName,
    tmp_path: Path,
) -> None:
    board = read_board(name)
    registers = at_model_ready(board, rules, toolchain, tmp_path)
    assert clock(registers) == board.clock == registers.reported
    if clock is h7_clock:
        latency = registers.read(FLASH7) & 15
        assert 2 * (latency + 1) - 1 == board.flash.wait_states  # the flash runs at half the core's clock
        assert registers.read(SYSCFG7 + 0x2C) & 1, "over-drive"
    else:
        assert registers.read(FLASH) & 15 == board.flash.wait_states
        assert bool(registers.read(PWR) & 1 << 17) == (board.core == "cortex-m7"), "over-drive"


@pytest.mark.parametrize("missing", range(3))
def test_without_an_answer_the_core_keeps_its_oscillator(missing: int, tmp_path: Path) -> None:
    rules = [rule for index, rule in enumerate(CLASSIC) if index != missing]
    registers = at_model_ready(read_board("stm32f746"), rules, "zig", tmp_path)
    assert classic_clock(registers) == 16e6 == registers.reported


def test_an_h7_without_an_answer_keeps_another_oscillator(tmp_path: Path) -> None:
    registers = at_model_ready(read_board("stm32h743"), H7[:2], "zig", tmp_path)
    assert registers.read(RCC7 + 0x10) & 7 == 0, "the core runs from the PLL"
    assert registers.reported == 64e6


def test_a_board_without_a_clock_set_up_keeps_its_clock_after_reset(tmp_path: Path) -> None:
    board = board_with("cortex-m4", clock="64MHz", reset_clock="16MHz")
    assert at_model_ready(board, [], "zig", tmp_path).reported == board.runs_at == 16_000_000


OWN = """#include <stdint.h>
uint32_t clock_setup(void);
uint32_t clock_setup(void) {
    while (!(*(volatile uint32_t *)0x40021000u & 1u << 25)) { }
    return 48000000u;
}
"""


def own_clock(folder: Path, code: str = OWN) -> Board:
    """A board with a C file of its own, which waits for a register for ever if that does not answer."""
    text = board_files()["stm32f412"].read_text().replace('"stm32f4"', '"clock.c"').replace('"100MHz"', '"48MHz"')
    (folder / "mine.toml").write_text(text)
    (folder / "clock.c").write_text(code)
    return board_in(folder / "mine.toml")


def test_a_clock_set_up_of_the_board_is_compiled_as_it_stands(toolchain: ToolchainName, tmp_path: Path) -> None:
    board = own_clock(tmp_path)
    assert board.runs_at == 48_000_000 and board.clock_origin == "set by clock.c"
    answers = [Follows((0x4002_1000, 1 << 25), (0x4002_1000, 0))]
    assert at_model_ready(board, answers, toolchain, tmp_path).reported == 48_000_000


def test_the_emulator_does_not_wait_for_registers_that_it_lacks(tmp_path: Path) -> None:
    board = own_clock(tmp_path)
    elf = build(write_model(tmp_path / "c"), board, FirmwareSettings()) / "firmware.elf"
    found = measure(elf, board, MeasureSettings(), inputs(0)[None], [])
    assert found.cycles is not None and found.clock_hz == 48_000_000
    assert found.latency_ms == pytest.approx(found.cycles.mean / 48e3)


@pytest.mark.parametrize(
    ("code", "told"), [("int main(void) { return 0; }", "no function uint32_t clock_setup"), (None, "cannot be read")]
)
def test_a_clock_set_up_that_is_not_there(code: str | None, told: str, tmp_path: Path) -> None:
    own_clock(tmp_path)
    if code is None:
        (tmp_path / "clock.c").unlink()
    else:
        (tmp_path / "clock.c").write_text(code)
    with pytest.raises(BuildError, match=rf"mine\.toml: clock_setup: .*{told}.*"):
        board_in(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("core", "family", "clock"), [("cortex-m4", "stm32f4", 300_000_000), ("cortex-m7", "stm32h7", 401_000_000)]
)
def test_a_clock_out_of_reach(core: str, family: str, clock: int, tmp_path: Path) -> None:
    board = board_with(core, clock=clock, clock_setup=family)
    with pytest.raises(BuildError, match=rf"{core}\.toml: clock: found {clock} Hz.*{family}.*MHz"):
        firmware.generate(board, 2048, write_model(tmp_path / "c"))
