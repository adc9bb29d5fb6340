"""A target behind a GDB server: OpenOCD, pyOCD, J-Link, ST-LINK, QEMU.

Source: Debugging with GDB, appendix "Remote Protocol": "Packets", "General Query Packets", "Stop Reply Packets". What
differs from server to server is written where it matters.
"""

import re
from collections.abc import Collection, Iterator

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.remote.connection import Connection
from mcubuild.measure.remote.flash import FlashRegion, blocks, flash_regions
from mcubuild.measure.remote.packets import escape
from mcubuild.progress import bar

_REGISTERS = {**{f"r{index}": index for index in range(13)}, "sp": 13, "lr": 14, "pc": 15}
_NUMBERS = {**_REGISTERS, "xpsr": 25}
"""The numbers of GDB's own description of an Arm, for servers that have none."""
_THUMB = 1 << 24
_RESETS = ("reset halt", "reset", "system_reset")
"""OpenOCD, pyOCD; J-Link, ST-LINK; QEMU."""
_REFUSED = re.compile(r"unknown|invalid|unsupported|not supported|error", re.IGNORECASE)
_HEX = re.compile(rb"([0-9a-fA-F]{2})+")
_USUAL_PACKET = 400
"""Bytes of a packet that every server takes; most tell of more."""
_SLOW = 180.0
"""Seconds that a server may be silent while it erases or writes flash."""


class GdbTarget:
    """The Target that a GDB server controls."""

    def __init__(self, connection: Connection):
        """Agree on the protocol and halt the target.

        Raises:
            BuildError: the server does not answer as a GDB server.
        """
        self._connection = connection
        self._breakpoints: dict[int, bytes] = {}
        self._running = False
        features = connection.ask(b"qSupported:xmlRegisters=arm").decode("ascii", "replace").split(";")
        sizes = [int(feature[11:], 16) for feature in features if re.fullmatch(r"PacketSize=[0-9a-fA-F]+", feature)]
        self._packet_size = sizes[0] if sizes else _USUAL_PACKET
        self._has_memory_map = "qXfer:memory-map:read+" in features
        if "QStartNoAckMode+" in features:
            connection.stop_acknowledging()
        self._numbers = _NUMBERS | (self._described() if "qXfer:features:read+" in features else {})
        connection.ask(b"?")
        emulator = self._emulator()
        self.silicon = emulator is None
        self.description = f"{emulator or self._banner()} at {connection.where.rpartition(' ')[2]}"

    def load(self, firmware: Firmware) -> None:
        """See Target."""
        regions = self._flash_regions()
        segments = [(segment.address, segment.data) for segment in firmware.segments]
        if all(self.read(address, len(data)) == data for address, data in segments):
            return
        in_flash = [part for part in segments if any(part[0] in region.addresses for region in regions)]
        with bar("load", sum(len(data) for _, data in segments)) as progress:
            for address, length in blocks(regions, in_flash):
                self._expect_ok(b"vFlashErase:%x,%x" % (address, length), _SLOW)
            for address, data in segments:
                request = b"vFlashWrite:%x:%b" if (address, data) in in_flash else b""
                for at, chunk in self._chunks(address, data):
                    if request:
                        self._expect_ok(request % (at, escape(chunk)), _SLOW)
                    else:
                        self.write(at, chunk)
                    progress.advance(len(chunk))
            if in_flash:
                self._expect_ok(b"vFlashDone", _SLOW)
        for address, data in segments:
            if self.read(address, len(data)) != data:
                raise BuildError(
                    f"{self._connection.where}: {len(data)} bytes at 0x{address:08x} read back other than written; is "
                    "it the board that the firmware was built for, is its flash unprotected and known to the server?"
                )

    def reset(self, firmware: Firmware) -> None:
        """See Target.

        By a command of the server; where it has none, by the registers alone, which leaves peripherals as they are.
        """
        for command in _RESETS:
            answer = self._monitor(command)
            if answer is not None and not _REFUSED.search(answer):
                break
        stack_pointer, start = firmware.start
        if self.register("pc") != start:
            self.set_register("sp", stack_pointer)
            self.set_register("pc", start)
            self.set_register("xpsr", _THUMB)

    def read(self, address: int, size: int) -> bytes:
        """See Target."""
        data = b""
        while len(data) < size:
            wanted = min(size - len(data), (self._packet_size - 8) // 2)
            reply = self._connection.ask(b"m%x,%x" % (address + len(data), wanted))
            if _HEX.fullmatch(reply) is None or len(reply) > 2 * wanted:
                where = f"{wanted} bytes at 0x{address + len(data):08x}"
                raise BuildError(f"{self._connection.where}: {where} cannot be read (answer {reply.decode()!r}).")
            data += bytes.fromhex(reply.decode())
        return data

    def write(self, address: int, data: bytes) -> None:
        """See Target. QEMU also writes ROM this way."""
        for at, chunk in self._chunks(address, data):
            self._expect_ok(b"M%x,%x:%b" % (at, len(chunk), chunk.hex().encode()))

    def register(self, name: str) -> int:
        """See Target."""
        reply = self._connection.ask(b"g")
        values = reply[8 * _REGISTERS[name] :][:8]
        if re.fullmatch(rb"[0-9a-fA-F]{8}", values) is None:
            raise BuildError(f"{self._connection.where}: {name} cannot be read (answer {reply[:40].decode()!r}).")
        return int.from_bytes(bytes.fromhex(values.decode()), "little")

    def set_register(self, name: str, value: int) -> None:
        """Change the register ``name``: one that ``register`` reads, or ``xpsr``."""
        self._expect_ok(b"P%x=%b" % (self._numbers[name], value.to_bytes(4, "little").hex().encode()))

    def run_to(self, addresses: Collection[int], seconds: float) -> int | None:
        """See Target."""
        for address in [address for address in self._breakpoints if address not in addresses]:
            self._expect_ok(b"z%b,%x,2" % (self._breakpoints.pop(address), address))
        for address in addresses:
            if address not in self._breakpoints:
                self._insert(address)
        self._connection.send(b"c")
        self._running = True
        stop = self._connection.receive(seconds)
        late = stop is None
        if late:
            self._connection.interrupt()
            stop = self._connection.receive(10.0)
        if stop is None:
            raise BuildError(f"{self._connection.where}: the target runs and cannot be halted.")
        if stop[:1] not in (b"T", b"S"):
            answer = stop.decode("ascii", "replace")
            raise BuildError(f"{self._connection.where}: the target does not run, or has ended (answer {answer!r}).")
        self._running = False
        return None if late else self.register("pc")

    def close(self) -> None:
        """See Target."""
        try:
            if self._running:
                self._connection.interrupt()
                self._connection.receive(2.0)
            for address, kind in self._breakpoints.items():
                self._connection.ask(b"z%b,%x,2" % (kind, address), 2.0)
            self._connection.ask(b"D", 2.0)
        except BuildError:
            pass  # it has gone, which is what was wanted
        self._connection.close()

    def _insert(self, address: int) -> None:
        """A breakpoint of the core, else one that the server writes into memory, which only emulators do in flash."""
        for kind in (b"1", b"0"):
            if self._connection.ask(b"Z%b,%x,2" % (kind, address)) == b"OK":
                self._breakpoints[address] = kind
                return
        raise BuildError(f"{self._connection.where}: no breakpoint can be set at 0x{address:08x}; are all in use?")

    def _expect_ok(self, request: bytes, seconds: float = 10.0) -> None:
        reply = self._connection.ask(request, seconds)
        if reply != b"OK":
            what = re.split(rb"[:=]", request)[0].decode("ascii", "replace")
            answer = f"answer {reply.decode('ascii', 'replace')!r}" if reply else "the server does not know it"
            said = f": {self._connection.console.strip()}" if self._connection.console.strip() else ""
            raise BuildError(f"{self._connection.where}: {what!r} failed ({answer}){said}.")

    def _chunks(self, address: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Pieces whose packets are not too long: each byte may take two, by its hex digits or an escape."""
        most = (self._packet_size - 40) // 2
        for start in range(0, len(data), most):
            yield address + start, data[start : start + most]

    def _monitor(self, command: str) -> str | None:
        """What a command of the server itself prints; None where it has no such commands.

        Servers print by console packets before an ``OK`` (OpenOCD, QEMU) or by a reply in hex (pyOCD).
        """
        reply = self._connection.ask(b"qRcmd," + command.encode().hex().encode(), 30.0)
        if not reply or re.fullmatch(rb"E..|E\..*", reply):
            return None
        if reply == b"OK":
            return self._connection.console.strip()
        return bytes.fromhex(reply.decode()).decode(errors="replace") if _HEX.fullmatch(reply) else ""

    def _banner(self) -> str:
        version = self._monitor("version") or ""
        return version.splitlines()[0].strip() if version and not _REFUSED.search(version) else "GDB server"

    def _emulator(self) -> str | None:
        """The emulator that this is, if it is one: QEMU answers a query of its own; Renode gives its name."""
        if self._connection.ask(b"qqemu.sstepbits").startswith(b"ENABLE"):
            version = re.match(r"[\d.]*", self._monitor("info version") or "")
            return f"QEMU {version[0] if version else ''}".strip()
        banner = self._banner()
        return banner if "renode" in banner.lower() else None

    def _flash_regions(self) -> list[FlashRegion]:
        return flash_regions(self._transfer(b"memory-map", b"")) if self._has_memory_map else []

    def _described(self) -> dict[str, int]:
        """Numbers of the registers by the target's own description ("Target Description Format", <reg>).

        QEMU allows registers to be written only after its description was read.
        """
        text = self._transfer(b"features", b"target.xml")
        for file in re.findall(r'<xi:include\s+href="([^"]+)"', text):
            text += self._transfer(b"features", file.encode())
        numbers: dict[str, int] = {}
        number = -1
        for attributes in re.findall(r"<reg\s([^>]*)>", text):
            name, explicit = (re.search(rf'\b{key}="(\w+)"', attributes) for key in ("name", "regnum"))
            number = int(explicit[1]) if explicit else number + 1
            if name:
                numbers[name[1].lower()] = number
        return numbers

    def _transfer(self, kind: bytes, annex: bytes) -> str:
        """A document of the server, in pieces: ``m`` before all but the last, ``l`` before that."""
        text = b""
        while True:
            size = self._packet_size - 16
            reply = self._connection.ask(b"qXfer:%b:read:%b:%x,%x" % (kind, annex, len(text), size))
            if reply[:1] not in (b"m", b"l"):
                raise BuildError(
                    f"{self._connection.where}: {kind.decode()} cannot be read (answer {reply.decode()!r})."
                )
            text += reply[1:]
            if reply[:1] == b"l" or len(reply) == 1:
                return text.decode("utf-8", errors="replace")
