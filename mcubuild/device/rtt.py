"""The wire of a firmware that talks by SEGGER's Real Time Transfer: rings in its RAM, which a debugger reads and fills.

Source: SEGGER J-Link / J-Trace User Guide (UM08001), "RTT": "Internal structures". The core is halted for each look
at the rings, as any GDB server can do that; servers that look while it runs (J-Link's, OpenOCD's) show the rings as a
TCP port instead.
"""

import struct
import time
from dataclasses import dataclass

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.remote.target import Target

_BLOCK = "_SEGGER_RTT"
_MARK = b"SEGGER RTT".ljust(16, b"\0")
_RING = struct.Struct("<6I")
_UP, _DOWN = 24, 24 + _RING.size
_WRITE_AT, _READ_AT = 12, 16
"""Bytes from the beginning: of a ring in the block, of a field in a ring."""
_LOOK = 0.01
"""Seconds that the core runs between two looks."""


@dataclass(frozen=True)
class _Ring:
    """A ring of ``size`` bytes at the address ``bytes``; it is empty where both places are the same."""

    bytes: int
    size: int
    write_at: int
    read_at: int


class Rings:
    """The Wire."""

    def __init__(self, target: Target, firmware: Firmware):
        """Write and start the firmware."""
        self.where = target.description
        self._target, self._pending, self._path = target, b"", firmware.path
        self._block = firmware.symbol(_BLOCK).address
        self._fault = firmware.symbol("HardFault_Handler").address
        target.load(firmware)
        target.reset(firmware)
        target.write(self._block, bytes(len(_MARK)))  # that of an earlier start

    def write(self, data: bytes) -> None:
        """See Wire."""
        self._pending += data

    def read(self, seconds: float) -> bytes:
        """See Wire. The firmware runs meanwhile."""
        deadline = time.monotonic() + seconds
        while not (said := self._exchanged()) and (left := deadline - time.monotonic()) > 0:
            at = self._target.run_to({self._fault}, min(left, _LOOK))
            if at is not None:
                raise BuildError(f"{self._path}: {self.where}: the firmware stopped by itself at 0x{at:08x}.")
        return said

    def _exchanged(self) -> bytes:
        """Give the firmware what there is room for; what it has said."""
        if self._target.read(self._block, len(_MARK)) != _MARK:
            return b""  # it has not come so far yet
        up, down = self._ring(_UP), self._ring(_DOWN)
        said = self._taken(up)
        if said:
            self._set(_UP + _READ_AT, up.write_at)
        part = self._pending[: (down.read_at - down.write_at - 1) % down.size]
        if part:
            behind = down.size - down.write_at
            self._target.write(down.bytes + down.write_at, part[:behind])
            if part[behind:]:
                self._target.write(down.bytes, part[behind:])
            self._set(_DOWN + _WRITE_AT, (down.write_at + len(part)) % down.size)
            self._pending = self._pending[len(part) :]
        return said

    def _ring(self, offset: int) -> _Ring:
        _, at, size, write_at, read_at, _ = _RING.unpack(self._target.read(self._block + offset, _RING.size))
        if max(write_at, read_at) >= size:
            raise BuildError(
                f"{self._path}: {self.where}: a ring of the firmware is damaged ({max(write_at, read_at)} of {size})."
            )
        return _Ring(at, size, write_at, read_at)

    def _taken(self, ring: _Ring) -> bytes:
        if ring.read_at <= ring.write_at:
            return self._read(ring.bytes + ring.read_at, ring.write_at - ring.read_at)
        return self._read(ring.bytes + ring.read_at, ring.size - ring.read_at) + self._read(ring.bytes, ring.write_at)

    def _read(self, address: int, count: int) -> bytes:
        return self._target.read(address, count) if count else b""

    def _set(self, offset: int, value: int) -> None:
        self._target.write(self._block + offset, value.to_bytes(4, "little"))
