"""A GDB server for tests: a thread that speaks the protocol on a loopback port, with a board that is made up.

Its board runs no code: continued, it halts at the one breakpoint that is not the fault handler's, and computes the
output (input + 1) on the way to model_done.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from mcubuild.measure.elf import Firmware, Segment, Symbol
from mcubuild.measure.remote.packets import checksum

FLASH, BLOCK, RAM = 0x0800_0000, 1024, 0x2000_0000
SYMBOLS = {
    "Reset_Handler": Symbol("Reset_Handler", FLASH + 0x100, 16),
    "HardFault_Handler": Symbol("HardFault_Handler", FLASH + 0x120, 16),
    "model_ready": Symbol("model_ready", FLASH + 0x140, 16),
    "model_done": Symbol("model_done", FLASH + 0x160, 16),
    "layer_00_add": Symbol("layer_00_add", FLASH + 0x180, 16),
    "model_input": Symbol("model_input", RAM + 0x400, 8),
    "model_output": Symbol("model_output", RAM + 0x408, 8),
    "model_cycles": Symbol("model_cycles", RAM + 0x410, 4),
    "model_clock_hz": Symbol("model_clock_hz", RAM + 0x414, 4),
    "__stack_bottom": Symbol("__stack_bottom", RAM, 0),
    "__stack_top": Symbol("__stack_top", RAM + 0x400, 0),
}
CODE = (RAM + 0x400).to_bytes(4, "little") + (FLASH + 0x101).to_bytes(4, "little") + bytes(range(256)) * 10
"""A vector table and 2.5 kB with all the bytes that have to be escaped."""


def firmware(*without: str, more: tuple[Symbol, ...] = ()) -> Firmware:
    """The firmware that the board seems to run; ``without`` are symbols that it lacks, ``more`` such as it has, too."""
    symbols = {name: symbol for name, symbol in SYMBOLS.items() if name not in without}
    symbols |= {symbol.name: symbol for symbol in more}
    functions = [symbol for symbol in symbols.values() if symbol.address < RAM]
    data = Segment(FLASH + 0xC00, b"data", RAM + 0x500, False)
    return Firmware(Path("net.elf"), [Segment(FLASH, CODE, FLASH, True), data], symbols, functions)


class Server:
    """Serves one connection; override ``reply`` or set ``answers`` for other behaviour."""

    def __init__(self, features: str = "PacketSize=200;QStartNoAckMode+;qXfer:memory-map:read+") -> None:
        self.features = features
        self.answers: dict[bytes, bytes | list[bytes] | Callable[[], None]] = {}
        """What to answer to requests that begin so: a body, raw bytes to send one after the other, or an action."""
        self.requests: list[bytes] = []
        self.memory: dict[int, int] = {}
        self.registers = [0] * 16
        self.breakpoints: set[int] = set()
        self.erased: list[tuple[int, int]] = []
        self.cycles, self.step, self.clock = 5000, 1000, 100_000_000
        self.seconds = 0.0
        """How long an inference takes."""
        self.acknowledging = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.remote = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        self._listener.settimeout(5)
        self.stream, _ = self._listener.accept()
        self.stream.settimeout(10)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        with self.stream:
            while data := self._receive():
                received += data
                while match := re.search(rb"\$([^#]*)#..|\x03", received, re.DOTALL):
                    received = received[match.end() :]
                    body = b"\x03" if match[0] == b"\x03" else match[1]
                    self.requests.append(body)
                    self._answer(body)

    def _receive(self) -> bytes:
        try:
            return self.stream.recv(1 << 16)
        except OSError:
            return b""

    def _answer(self, body: bytes) -> None:
        if self.acknowledging and body != b"\x03":
            self.stream.sendall(b"+")
        for start, answer in self.answers.items():
            if body.startswith(start):
                if callable(answer):
                    answer()
                elif isinstance(answer, list):
                    self.stream.sendall(b"".join(answer))
                else:
                    self.send(answer)
                return
        reply = self.reply(body)
        if reply is not None:
            self.send(reply)
        if body == b"QStartNoAckMode":
            self.acknowledging = False

    def send(self, body: bytes) -> None:
        """Send a packet."""
        self.stream.sendall(b"$%b#%02x" % (body, checksum(body)))

    def reply(self, body: bytes) -> bytes | None:
        """What OpenOCD would say, roughly; None for nothing."""
        if body.startswith(b"qSupported"):
            return self.features.encode()
        if body in (b"QStartNoAckMode", b"D", b"vFlashDone"):
            return b"OK"
        if body == b"?":
            return b"T05thread:1;"
        if body.startswith(b"qXfer:memory-map"):
            offset, size = (int(number, 16) for number in body.split(b":")[-1].split(b","))
            piece = self.memory_map()[offset : offset + size]
            return (b"m" if offset + size < len(self.memory_map()) else b"l") + piece
        if body.startswith(b"qRcmd,"):
            if bytes.fromhex(body[6:].decode()) != b"reset halt":
                return b""
            self.registers[13], self.registers[15] = RAM + 0x400, FLASH + 0x100
            return b"OK"
        if body == b"g":
            return b"".join(value.to_bytes(4, "little") for value in self.registers).hex().encode()
        if body.startswith(b"m"):
            address, size = (int(number, 16) for number in body[1:].split(b","))
            return bytes(self.memory.get(address + index, 0xFF) for index in range(size)).hex().encode()
        if body.startswith(b"M"):
            place, _, data = body[1:].partition(b":")
            return self.store(int(place.split(b",")[0], 16), bytes.fromhex(data.decode()))
        if body.startswith(b"vFlashErase:"):
            address, size = (int(number, 16) for number in body[12:].split(b","))
            self.erased.append((address, size))
            return b"OK"
        if body.startswith(b"vFlashWrite:"):
            address_text, _, escaped = body[12:].partition(b":")
            data = re.sub(rb"}(.)", lambda match: bytes((match[1][0] ^ 0x20,)), escaped, flags=re.DOTALL)
            return self.store(int(address_text, 16), data)
        if body[:1] in (b"Z", b"z"):
            address = int(body.split(b",")[1], 16)
            (self.breakpoints.add if body[:1] == b"Z" else self.breakpoints.discard)(address)
            return b"OK"
        if body == b"c":
            self.run()
            return b"T05thread:1;"
        return b""

    def memory_map(self) -> bytes:
        """64 kB of flash and some RAM."""
        text = f"""<?xml version="1.0"?><memory-map>
            <memory type="flash" start="{FLASH:#x}" length="0x10000"><property name="blocksize">{BLOCK:#x}</property>
            </memory><memory type="ram" start="{RAM:#x}" length="0x10000"/></memory-map>"""
        return text.encode()

    def store(self, address: int, data: bytes) -> bytes:
        """Change memory."""
        self.memory.update(enumerate(data, address))
        return b"OK"

    def load(self, address: int, size: int) -> bytes:
        """Look into memory."""
        return bytes(self.memory.get(address + index, 0xFF) for index in range(size))

    def run(self) -> None:
        """To the next breakpoint."""
        stop = next(place for place in self.breakpoints if place != SYMBOLS["HardFault_Handler"].address)
        if stop == SYMBOLS["model_done"].address:
            data = self.load(SYMBOLS["model_input"].address, 8)
            self.store(SYMBOLS["model_output"].address, bytes((byte + 1) & 0xFF for byte in data))
            self.store(SYMBOLS["model_cycles"].address, self.cycles.to_bytes(4, "little"))
            self.cycles += self.step
            time.sleep(self.seconds)
        else:
            self.store(SYMBOLS["model_clock_hz"].address, self.clock.to_bytes(4, "little"))
        self.registers[15] = stop
