"""pyOCD with a probe that is made up: its own code finds the core, writes flash and runs firmware, in unicorn.

The tests of everything but installation need pyOCD (pip install 'pyocd>=0.36'), which is optional.
"""

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.board import Board, read_board
from mcubuild.errors import BuildError
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.remote.probe import attached
from mcubuild.measure.remote.session import Session
from mcubuild.spec.firmware import FirmwareSettings
from tests.toolchain.building import build
from tests.toolchain.handwritten import expected, inputs, write_model

MISSING = importlib.util.find_spec("pyocd") is None
needs_pyocd = pytest.mark.needs("pyocd")
BOARD = read_board("stm32f412")
SAMPLES = np.array([inputs(seed) for seed in range(3)])


@pytest.mark.skipif(not MISSING, reason="pyocd is installed")
def test_without_pyocd() -> None:
    with pytest.raises(BuildError, match=r"package pyocd is not installed; .*pip install"), attached(BOARD):
        pass


def _words(first: int, *words: int) -> dict[int, int]:
    return {first + 4 * index: word for index, word in enumerate(words)}


def _identity(base: int, component_class: int, part: int) -> dict[int, int]:
    """CIDR and PIDR of a CoreSight component of Arm."""
    parts = (4, 0, 0, 0, part & 0xFF, 0xB0 | part >> 8, 0x0B, 0, 0x0D, component_class << 4, 0x05, 0xB1)
    return _words(base + 0xFD0, *parts)


ROM_TABLE, SCS, DWT, FPB = 0xE00F_F000, 0xE000_E000, 0xE000_1000, 0xE000_2000
AIRCR, DHCSR, DCRSR, DCRDR, DEMCR = 0xE000_ED0C, 0xE000_EDF0, 0xE000_EDF4, 0xE000_EDF8, 0xE000_EDFC
FLASH_STATUS = 0x4002_3C0C  # not busy, no errors; writing ones clears
SYSTEM = {
    **_words(ROM_TABLE, *(((base - ROM_TABLE) & 0xFFFF_FFFF) | 3 for base in (SCS, DWT, FPB)), 0),
    **_identity(ROM_TABLE, 1, 0x4C4),
    **_identity(SCS, 0xE, 0x00C),
    **_identity(DWT, 0xE, 0x002),
    **_identity(FPB, 0xE, 0x003),
    0xE000_ED00: 0x410F_C241,  # CPUID: Cortex-M4 r0p1
    DWT: 0x4000_0000,
    FPB: 0x260,  # six comparators
}
"""What pyOCD reads to find out that this is a Cortex-M4."""


class Chip:
    """A Cortex-M4 with the registers that a debugger uses: it runs when it is let go, and only until it halts."""

    def __init__(self, board: Board) -> None:
        from unicorn import arm_const, unicorn_const
        from unicorn.unicorn_py3 import Uc

        self.uc: Any = Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        for memory in board.memory:
            self.uc.mem_map(memory.origin, memory.size)
        self.uc.mem_map(0x4000_0000, 0x2000_0000)
        self.uc.mem_map(0xE000_0000, 0x10_0000)
        for address, word in SYSTEM.items():
            self.write(address, word, 4)
        self.numbers = {
            **{index: getattr(arm_const, f"UC_ARM_REG_R{index}") for index in range(13)},
            13: arm_const.UC_ARM_REG_SP,
            14: arm_const.UC_ARM_REG_LR,
            17: arm_const.UC_ARM_REG_SP,
        }
        self.halted, self.was_reset, self.pc = False, False, 0
        self.uc.hook_add(unicorn_const.UC_HOOK_INTR, lambda uc, number, data: uc.emu_stop())  # BKPT
        idle = lambda uc, *_: uc.mem_write(FLASH_STATUS, bytes(4))  # noqa: E731
        self.uc.hook_add(unicorn_const.UC_HOOK_MEM_READ, idle, begin=FLASH_STATUS, end=FLASH_STATUS)

    def read(self, address: int, size: int) -> int:
        if address == DHCSR:
            status = 0x1_0001 | (1 << 17) * self.halted | (1 << 25) * self.was_reset
            self.was_reset = False
            return status
        return int.from_bytes(self.uc.mem_read(address, size), "little")

    def write(self, address: int, value: int, size: int) -> None:
        if address == DHCSR:
            if value & 2:
                self.halted = True
            elif self.halted:
                self.run()
        elif address == DCRSR:
            self.transfer(value & 0x7F, bool(value & 1 << 16))
        elif address == AIRCR and value & 4:
            self.reset()
        else:
            self.uc.mem_write(address, value.to_bytes(size, "little"))

    def transfer(self, number: int, store: bool) -> None:
        """Between DCRDR and a register."""
        if number == 15 and store:
            self.pc = self.read(DCRDR, 4)
        elif number in self.numbers and store:
            self.uc.reg_write(self.numbers[number], self.read(DCRDR, 4))
        elif not store:
            known = self.uc.reg_read(self.numbers[number]) if number in self.numbers else 0
            self.write(DCRDR, {15: self.pc, 16: 1 << 24}.get(number, known), 4)

    def reset(self) -> None:
        stack_pointer, self.pc = struct.unpack("<II", self.uc.mem_read(BOARD.flash.origin, 8))
        self.uc.reg_write(self.numbers[13], stack_pointer)
        self.halted = bool(self.read(DEMCR, 4) & 1)  # VC_CORERESET
        self.was_reset = True

    def run(self) -> None:
        from unicorn import arm_const, unicorn_const

        stops = []
        for comparator in range(6):
            value = self.read(FPB + 8 + 4 * comparator, 4)
            if value & 1:
                stops.append((value & 0x1FFF_FFFC) + (2 if value >> 30 == 2 else 0))
        hooks = [
            self.uc.hook_add(unicorn_const.UC_HOOK_CODE, lambda uc, *_: uc.emu_stop(), begin=stop, end=stop)
            for stop in stops
        ]
        self.uc.ctl_flush_tb()
        self.uc.emu_start(self.pc | 1, 0xFFFF_FFFE, count=20_000_000)
        self.pc = self.uc.reg_read(arm_const.UC_ARM_REG_PC) & ~1
        for hook in hooks:
            self.uc.hook_del(hook)
        self.halted = True


def probe_of(chip: Chip) -> Any:
    """A pyOCD probe whose access port leads to the chip."""
    from pyocd.core.memory_interface import MemoryInterface
    from pyocd.probe.debug_probe import DebugProbe

    class Memory(MemoryInterface):  # type: ignore[misc]
        def write_memory(self, addr: int, data: int, transfer_size: int = 32, **_: Any) -> None:
            chip.write(addr, data, transfer_size // 8)

        def read_memory(self, addr: int, transfer_size: int = 32, now: bool = True, **_: Any) -> Any:
            value = chip.read(addr, transfer_size // 8)
            return value if now else lambda: value

        def write_memory_block32(self, addr: int, data: list[int], **_: Any) -> None:
            for index, word in enumerate(data):
                chip.write(addr + 4 * index, word, 4)

        def read_memory_block32(self, addr: int, size: int, **_: Any) -> list[int]:
            return [chip.read(addr + 4 * index, 4) for index in range(size)]

        def write_memory_block8(self, addr: int, data: list[int], **_: Any) -> None:
            chip.uc.mem_write(addr, bytes(data))

        def read_memory_block8(self, addr: int, size: int, **_: Any) -> list[int]:
            return list(chip.uc.mem_read(addr, size))

    class Probe(DebugProbe):  # type: ignore[misc]
        vendor_name, product_name, unique_id = "Made up", "Probe", "0"
        supported_wire_protocols = (DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD)
        capabilities = frozenset[Any]()
        wire_protocol = None
        is_open = False
        control = 0x2300_0042

        def open(self) -> None:
            self.is_open = True

        def close(self) -> None:
            self.is_open = False

        def connect(self, protocol: Any = None) -> None:
            self.wire_protocol = DebugProbe.Protocol.SWD

        def disconnect(self) -> None:
            self.wire_protocol = None

        def set_clock(self, frequency: float) -> None:
            pass

        def reset(self) -> None:
            chip.reset()

        def assert_reset(self, asserted: bool) -> None:
            if not asserted:
                chip.reset()

        def is_reset_asserted(self) -> bool:
            return False

        def flush(self) -> None:
            pass

        def read_dp(self, addr: int, now: bool = True) -> Any:
            value = {0: 0x2BA0_1477, 4: 0xF000_0040}.get(addr, 0)
            return value if now else lambda: value

        def write_dp(self, addr: int, data: int) -> None:
            pass

        def read_ap(self, addr: int, now: bool = True) -> Any:
            registers = {0x00: self.control, 0xF8: ROM_TABLE | 3, 0xFC: 0x2477_0011}  # CSW, BASE, IDR: an AHB-AP
            value = 0 if addr >> 24 else registers.get(addr & 0xFC, 0)
            return value if now else lambda: value

        def write_ap(self, addr: int, data: int) -> None:
            if addr & 0xFC == 0:
                self.control = data & 0x7F00_0037 | 0x40

        def get_memory_interface_for_ap(self, ap_address: Any) -> Any:
            return Memory()

    return Probe()


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    """The chip behind the only probe there is."""
    from pyocd.core.helpers import ConnectHelper

    made = Chip(BOARD)
    probe = probe_of(made)
    monkeypatch.setattr(ConnectHelper, "get_all_connected_probes", lambda **_: [probe])
    return made


@needs_pyocd
def test_pyocd_writes_flash_and_runs_the_samples(chip: Chip, tmp_path: Path) -> None:
    elf = build(write_model(tmp_path / "c"), BOARD, FirmwareSettings()) / "firmware.elf"
    with attached(BOARD) as target:
        assert target.silicon and "Made up Probe" in target.description and "412" in target.description
        seen = Session(target, read_firmware(elf), (), 5.0).run(SAMPLES)
    np.testing.assert_array_equal(seen.outputs, [expected(sample) for sample in SAMPLES])
    assert seen.clock_hz == 16_000_000
    assert seen.cycles is None and "does not count" in str(seen.note)


@needs_pyocd
def test_no_probe_and_several(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyocd.core.helpers import ConnectHelper

    for probes, found in ([], "found none"), ([probe_of(Chip(BOARD))] * 2, "Made up Probe (0), Made up Probe (0)"):
        monkeypatch.setattr(ConnectHelper, "get_all_connected_probes", lambda blocking, probes=probes: probes)
        with pytest.raises(BuildError) as caught, attached(BOARD):
            pass
        assert "one debug probe must be plugged in" in str(caught.value)
        assert found in str(caught.value) and 'runner = "emulator"' in str(caught.value)


@needs_pyocd
def test_a_board_that_pyocd_does_not_know(chip: Chip) -> None:
    told = r"cannot be reached .*pyocd pack install stm32f746zgtx"
    with pytest.raises(BuildError, match=told), attached(read_board("stm32f746")):
        pass
    nameless = BOARD.model_copy(update={"pyocd_target": None})
    told = r"boards/stm32f412\.toml does not say what pyOCD calls the chip"
    with pytest.raises(BuildError, match=told), attached(nameless):
        pass
    evil = BOARD.model_copy(update={"pyocd_target": "x; touch owned\n"})
    with pytest.raises(BuildError, match=r"pyocd pack install 'x; touch owned\\n'"), attached(evil):
        pass
