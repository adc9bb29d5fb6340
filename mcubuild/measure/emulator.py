"""A Cortex-M microcontroller in unicorn: memories from the board file, the ELF as a flash programmer would write it.

What unicorn does not model, and what becomes of it:
- time, caches, wait states: the cycle models add them afterwards;
- interrupts and exceptions: SVC, BKPT and faults end the run with a message;
- peripherals and the system control space: their addresses are plain RAM, so that start-up code gets through;
- alignment faults of LDRD, LDM and the like, and the lack of DSP instructions on a Cortex-M3 or M33 without them:
  the summary of a run checks both;
- the Cortex-M0+: it runs as a Cortex-M0, which has the same instructions;
- TrustZone and the vector extension: firmware for them does not run.
The floating-point unit is on from reset, on cores that have one.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from mcubuild.board import Board, Memory
from mcubuild.cores.core import core_of
from mcubuild.errors import BuildError
from mcubuild.measure.counter import Counter, Stop
from mcubuild.measure.elf import Firmware

_PERIPHERALS = (0x4000_0000, 0x2000_0000)
_SYSTEM = (0xE000_0000, 0x0010_0000)
_PAGE = 4096


class _Fault(NamedTuple):
    """An access that was refused."""

    access: int
    """Unicorn's UC_MEM_READ, _WRITE or _FETCH."""
    address: int
    """Of the page: unicorn tells no more where it is to be fast."""
    mapped: bool
    """Whether there is memory at all."""


class Emulator:
    """One microcontroller, at reset."""

    def __init__(self, board: Board, firmware: Firmware, layers: list[str]):
        """Map the memories, write the image, set stack pointer and program counter from the vector table.

        Args:
            board: core and memories.
            firmware: the image.
            layers: names of the functions that instructions are attributed to.

        Raises:
            BuildError: a segment lies outside of the board's memories, or a layer function is not in the ELF.
        """
        from unicorn import arm_const, unicorn_const
        from unicorn.unicorn_py3 import Uc

        self._board, self._firmware = board, firmware
        self._fault: _Fault | None = None
        self._refused: BuildError | None = None
        # not UC_MODE_MCLASS: that forces a Cortex-M33 whatever model is set
        self.uc: Any = Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(getattr(arm_const, core_of(board.core).emulator))
        self._map_memories()
        self._load()
        self.counter = Counter(self.uc, [firmware.symbol(name).address for name in layers])
        stack_pointer, reset = struct.unpack("<II", self.read(board.vector_table, 8))
        self._next = reset & ~1
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, stack_pointer)

    def _map_memories(self) -> None:
        """Map the board's memories, and let unicorn find every page at its own address.

        RAM that holds no code is not executable, neither in the map nor in the translation of addresses: otherwise
        unicorn looks for translated code to discard at each store, and does 9 instead of 600 million stores a second.
        """
        from unicorn import unicorn_const as const

        def on_miss(uc: Any, address: int, access: int, entry: Any, data: Any) -> bool:
            permissions = next((permissions for addresses, permissions in regions if address in addresses), None)
            if permissions is None or not permissions & needed[access]:
                self._fault = _Fault(access, address, mapped=permissions is not None)
                return False
            entry.paddr, entry.perms = address & -page, permissions
            return True

        needed = {
            const.UC_MEM_READ: const.UC_PROT_READ,
            const.UC_MEM_WRITE: const.UC_PROT_WRITE,
            const.UC_MEM_FETCH: const.UC_PROT_EXEC,
        }
        page = self.uc.ctl_get_page_size()
        code = [range(s.run_address, s.run_address + len(s.data)) for s in self._firmware.segments if s.executable]
        regions = []
        for memory in self._board.memory:
            permissions = const.UC_PROT_READ
            if memory.kind == "ram":
                permissions |= const.UC_PROT_WRITE
            if memory.kind == "flash" or _overlaps(memory, code):
                permissions |= const.UC_PROT_EXEC
            regions.append((range(memory.origin, memory.origin + -(-memory.size // _PAGE) * _PAGE), permissions))
        for origin, size in (_PERIPHERALS, _SYSTEM):
            regions.append((range(origin, origin + size), const.UC_PROT_READ | const.UC_PROT_WRITE))
        for addresses, permissions in regions:
            self.uc.mem_map(addresses.start, len(addresses), permissions)
        self.uc.ctl_set_tlb_mode(const.UC_TLB_VIRTUAL)
        self.uc.hook_add(const.UC_HOOK_TLB_FILL, on_miss)

    def _load(self) -> None:
        for segment in self._firmware.segments:
            end = segment.address + len(segment.data)
            if not any(m.origin <= segment.address and end <= m.end for m in self._board.memory):
                raise BuildError(
                    f"{self._firmware.path}: a segment at 0x{segment.address:08x}..0x{end:08x} lies in no memory of "
                    f"board {self._board.name!r}; the firmware was linked for another board."
                )
            self.uc.mem_write(segment.address, segment.data)

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes of memory."""
        return bytes(self.uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Overwrite memory."""
        self.uc.mem_write(address, data)

    def on_call(self, address: int, function: Callable[[int, int, int, int], None]) -> None:
        """Call ``function`` with r0 to r3 whenever the instruction at ``address`` is about to run.

        A BuildError that it raises ends the run.
        """
        from unicorn import arm_const, unicorn_const

        registers = [getattr(arm_const, f"UC_ARM_REG_R{number}") for number in range(4)]

        def on_code(uc: Any, _address: int, _size: int, _data: Any) -> None:
            try:
                function(*(int(uc.reg_read(register)) for register in registers))
            except BuildError as error:
                self._refused = error
                uc.emu_stop()

        self.uc.hook_add(unicorn_const.UC_HOOK_CODE, on_code, begin=address, end=address)

    @property
    def link_register(self) -> int:
        """Where the running function returns to."""
        from unicorn import arm_const

        return int(self.uc.reg_read(arm_const.UC_ARM_REG_LR)) & ~1

    def register(self, number: int) -> int:
        """The register r0 to r3 of that number: an argument of the function at whose entry the last run ended."""
        from unicorn import arm_const

        return int(self.uc.reg_read(getattr(arm_const, f"UC_ARM_REG_R{number}")))

    @property
    def stack_pointer(self) -> int:
        """The stack pointer."""
        from unicorn import arm_const

        return int(self.uc.reg_read(arm_const.UC_ARM_REG_SP))

    def leave(self, result: int) -> None:
        """Go on behind the call of the function at whose entry the last run ended, which returns ``result``."""
        from unicorn import arm_const

        self.uc.reg_write(arm_const.UC_ARM_REG_R0, result)
        self._next = self.link_register

    def run(self, until: int, code_bytes: int, doing: str) -> None:
        """Execute from where the last run ended until the program counter is ``until``.

        Args:
            until: address of an instruction that starts a block: a function's entry or a return address.
            code_bytes: how much code may be executed on the way, in bytes.
            doing: what happens meanwhile, for the message.

        Raises:
            BuildError: the firmware faults, or does not get there.
        """
        from unicorn import arm_const
        from unicorn.unicorn_py3 import UcError

        if self._next == until:
            return
        self._fault = None
        self.uc.ctl_remove_cache(until, until + 2)  # translated code runs past ``until`` if it was passed before
        self.counter.allow(code_bytes)
        error: Any = None
        try:
            self.uc.emu_start(self._next | 1, until)
        except UcError as caught:
            error = caught
        if self._refused is not None:
            raise self._refused
        at = int(self.uc.reg_read(arm_const.UC_ARM_REG_PC)) & ~1
        stop, stopped_at = self.counter.stopped
        if error is not None:
            raise BuildError(self._message(doing, at, self._describe(error)))
        if stop is Stop.ENDLESS_LOOP:
            raise BuildError(self._message(doing, stopped_at, "loops there forever (a fault handler or a halt)"))
        if stop is Stop.OUT_OF_BUDGET:
            reason = f"made no progress within {code_bytes / 1e6:.0f} MB of executed code"
            raise BuildError(self._message(doing, stopped_at, reason))
        if at != until:
            raise BuildError(self._message(doing, at, "stopped by itself (a WFI, BKPT or SVC without a debugger)"))
        self._next = until

    def _message(self, doing: str, address: int, problem: str) -> str:
        function = self._firmware.function_at(address)
        return f"{self._firmware.path}: {doing}, the firmware {problem}, in {function} at 0x{address:08x}."

    def _describe(self, error: Any) -> str:
        from unicorn import unicorn_const as const

        if self._fault is None:
            meanings = {
                const.UC_ERR_INSN_INVALID: f"executes an instruction that a {self._board.core} does not have",
                const.UC_ERR_EXCEPTION: "raises an exception (SVC, BKPT, or an access that has to be aligned)",
            }
            return meanings.get(error.errno, f"is stopped by the emulator ({error})")
        verb = {const.UC_MEM_READ: "reads", const.UC_MEM_WRITE: "writes", const.UC_MEM_FETCH: "jumps to"}
        fault = self._fault
        why = f"no memory of board {self._board.name!r} has"
        if fault.mapped:
            why = "is not writable" if fault.access == const.UC_MEM_WRITE else "holds no code"
        return f"{verb[fault.access]} the page at 0x{fault.address:08x}, which {why}"


def _overlaps(memory: Memory, code: list[range]) -> bool:
    return any(addresses.start < memory.end and memory.origin < addresses.stop for addresses in code)
