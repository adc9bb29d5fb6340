"""A few lines around plain unicorn: from reset to a function's entry."""

import struct
from pathlib import Path
from typing import Any

from unicorn import arm_const, unicorn_const
from unicorn.unicorn_py3 import Uc

from mcubuild.board import Board
from mcubuild.toolchain import sizes

CORES = {
    "cortex-m0plus": arm_const.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm_const.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
}
PERIPHERALS = ((0x4000_0000, 0x2000_0000), (0xE000_0000, 0x10_0000))


class Core:
    """A core with the board's memories and the flash programmed; peripherals are plain memory."""

    def __init__(self, folder: Path, board: Board) -> None:
        self.uc: Any = Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(CORES[board.core])
        for memory in board.memory:
            self.uc.mem_map(memory.origin, memory.size)
            if memory.kind == "ram":
                self.uc.mem_write(memory.origin, b"\xa5" * memory.size)  # RAM holds anything after reset
        for origin, size in PERIPHERALS:
            self.uc.mem_map(origin, size)
        image = (folder / "firmware.bin").read_bytes()
        self.uc.mem_write(board.flash.origin, image)
        self.symbols = {s.name: s for s in sizes.read_image(folder / "firmware.elf").symbols}
        stack, self.pc = struct.unpack("<II", image[:8])
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, stack)

    def run_to(self, function: str) -> None:
        until = self.symbols[function].address
        self.uc.ctl_remove_cache(until, until + 2)  # code translated before runs past ``until``
        self.uc.emu_start(self.pc | 1, until, count=5_000_000)
        self.pc = self.uc.reg_read(arm_const.UC_ARM_REG_PC)
        assert self.pc == until, f"stopped at 0x{self.pc:08x} instead of {function}"

    def write(self, symbol: str, data: bytes) -> None:
        assert len(data) == self.symbols[symbol].size
        self.uc.mem_write(self.symbols[symbol].address, data)

    def read(self, symbol: str) -> bytes:
        return bytes(self.uc.mem_read(self.symbols[symbol].address, self.symbols[symbol].size))
