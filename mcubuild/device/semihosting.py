"""The wire of a firmware that a debugger or emulator has in hand: its semihosting calls are answered here.

Source: Arm, "Semihosting for AArch32 and AArch64", 2.0: SYS_OPEN, SYS_WRITE, SYS_READ. Nothing but the firmware's own
input and output is served: no file of this machine.
"""

import struct
from typing import Protocol

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.remote.target import Target

_OPEN, _WRITE, _READ = 0x01, 0x05, 0x06
_CALL = "semihosting"
"""The firmware's function that all calls go through."""
_INPUT, _OUTPUT = 1, 2
"""Handles that are given to it."""
_LIMIT = 100_000_000_000
"""Bytes of code to execute from one call to the next before giving up."""


class Machine(Protocol):
    """What runs the firmware."""

    where: str

    def called(self, seconds: float) -> tuple[int, int] | None:
        """Run to the next call: operation and address of its arguments; None: it computes longer than that."""

    def give(self, result: int) -> None:
        """Let the call return."""

    def read(self, address: int, size: int) -> bytes:
        """Memory."""

    def write(self, address: int, data: bytes) -> None:
        """Change memory."""


class Emulated:
    """The project's emulator; it has no clock, and so no patience to lose."""

    def __init__(self, emulator: Emulator, firmware: Firmware, clock_hz: int | None = None):
        """Start the firmware.

        Args:
            emulator: at reset.
            firmware: what is in it.
            clock_hz: what the user's own set-up of the clock returns, which has no registers here; None: run it.
        """
        self.where = "emulator"
        self.read, self.write = emulator.read, emulator.write
        self.give = emulator.leave
        self._emulator, self._call = emulator, firmware.symbol(_CALL).address
        if clock_hz is not None:
            emulator.run(firmware.symbol("clock_setup").address, _LIMIT, "starting up")
            emulator.leave(clock_hz)

    def called(self, seconds: float) -> tuple[int, int]:
        """See Machine."""
        self._emulator.run(self._call, _LIMIT, "answering")
        return self._emulator.register(0), self._emulator.register(1)


class Debugged:
    """A target that is halted at each call."""

    def __init__(self, target: Target, firmware: Firmware):
        """Write and start the firmware."""
        self.where = target.description
        self.read, self.write = target.read, target.write
        self._target, self._call = target, firmware.symbol(_CALL).address
        self._fault = firmware.symbol("HardFault_Handler").address
        self._path = firmware.path
        target.load(firmware)
        target.reset(firmware)

    def called(self, seconds: float) -> tuple[int, int] | None:
        """See Machine."""
        at = self._target.run_to({self._call, self._fault}, seconds)
        if at is None:
            return None
        if at != self._call:
            raise BuildError(f"{self._path}: {self.where}: the firmware stopped by itself at 0x{at:08x}.")
        return self._target.register("r0"), self._target.register("r1")

    def give(self, result: int) -> None:
        """See Machine."""
        self._target.set_register("r0", result & 0xFFFF_FFFF)
        self._target.set_register("pc", self._target.register("lr") & ~1)


class Semihosted:
    """The Wire that a firmware's semihosting calls are."""

    def __init__(self, machine: Machine):
        self.where = machine.where
        self._machine = machine
        self._pending = b""
        self._wanted: tuple[int, int] | None = None
        """Where to, and how many bytes: a read that waits for them."""

    def write(self, data: bytes) -> None:
        """See Wire."""
        self._pending += data

    def read(self, seconds: float) -> bytes:
        """See Wire. The firmware runs meanwhile, until it has said something and waits."""
        said = b""
        while True:
            if self._wanted is not None:
                if not self._pending:
                    return said
                address, count = self._wanted
                part, self._pending = self._pending[:count], self._pending[count:]
                self._machine.write(address, part)
                self._machine.give(count - len(part))
                self._wanted = None
            call = self._machine.called(seconds)
            if call is None:
                return said
            operation, arguments = call
            first, address, count = struct.unpack("<III", self._machine.read(arguments, 12))
            if operation == _OPEN:  # of ":tt", for reading, or for writing
                self._machine.give(_INPUT if address == 0 else _OUTPUT)
            elif operation == _WRITE and first == _OUTPUT:
                said += self._machine.read(address, count)
                self._machine.give(0)
            elif operation == _READ and first == _INPUT:
                self._wanted = address, count
            else:
                raise BuildError(f"{self.where}: the firmware makes a semihosting call of its own (0x{operation:02x}).")
