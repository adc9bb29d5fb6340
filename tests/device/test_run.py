"""Firmware that answers samples: in the emulator, in QEMU over three kinds of wires, and behind a bad one."""

import os
import pty
import random
import re
import select
import socket
import struct
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcubuild import ROOT
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import Desk, Led, RegisterBits, read_board
from mcubuild.device.conversation import Conversation
from mcubuild.device.firmware import make
from mcubuild.device.reach import Probed, over_debugger, over_port
from mcubuild.device.rtt import Rings
from mcubuild.device.semihosting import Debugged, Emulated, Semihosted
from mcubuild.device.wires import Descriptor, opened
from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware, Symbol, read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.remote.gdb import GdbTarget
from mcubuild.measure.remote.runner import connected
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.tasks.anomaly_detection.reading import Anomaly
from mcubuild.tasks.answers import answers
from mcubuild.tasks.detection.decode import Decoding
from mcubuild.tasks.detection.reading import Detection
from tests.device.serving import BOARD, SETTINGS, Served, serve
from tests.engine.networks import image_network as pictures
from tests.measure.remote.server import FLASH, RAM, SYMBOLS, Server, firmware
from tests.measure.remote.stub import QEMU, needs_qemu, stub
from tests.networks import random_network
from tests.tasks.anomaly_detection.autoencoders import ERRORS, autoencoder
from tests.toolchain.handwritten import board_with


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serve(random_network(3), tmp_path_factory.mktemp("served") / "c")


def check(conversation: Conversation, served: Served) -> None:
    """All samples are answered by the right bits."""
    assert conversation.hello.input_bytes == served.samples[0].nbytes
    for sample, expected in zip(served.samples, served.expected, strict=True):
        np.testing.assert_array_equal(conversation.answer(sample).outputs, expected)


@pytest.mark.parametrize("name", ["stm32f746", "cortex-m0plus"])
def test_the_emulator_answers(name: str, tmp_path: Path) -> None:
    board = read_board(name) if name.startswith("stm32") else board_with(name)
    found = serve(random_network(8), tmp_path / "net", board)
    with over_debugger(found.code, board, SETTINGS, "emulator", "", tmp_path) as reached:
        check(reached.conversation, found)
        assert not reached.silicon and reached.where == f"emulator ({board.core})"
        assert re.search(rf'_HASH "{reached.conversation.hello.network}"', (found.code / "model.h").read_text())


def test_a_streamed_input_comes_row_by_row(tmp_path: Path) -> None:
    found = serve(pictures(), tmp_path / "net", engine=EngineSettings(input="stream"))
    check(Conversation(found.emulated(tmp_path)), found)


def test_boxes_come_behind_the_output(tmp_path: Path) -> None:
    decoding = Decoding((6, 6), (48, 48), ((0.2, 0.1), (0.5, 0.6)), 3, 0.06, 4, most=20)
    sketch = Sketch((1, 48, 48, 3))
    sketch.conv(sketch.conv("input", 8, 3, 8), decoding.channels)
    cells, graph = FirmwareSettings(prefix="cells"), with_random_values(sketch.graph())
    found = serve(graph, tmp_path / "net", reads=Detection(decoding), settings=cells)
    check(Conversation(found.emulated(tmp_path)), found)
    names = ("cat", "dog", "cow")
    told, lists = answers("object_detection").said(Detection(decoding), found.expected, names), Detection(decoding)
    assert [text.count("%)") for text in told] == [*map(len, lists.boxes(found.expected))]
    assert answers("object_detection").wanted([[1, 0.1, 0.2, 0.5, 0.75, 0]], names) == "dog 20,10-75,50 %"


def test_the_error_of_a_window_comes_behind_the_output(tmp_path: Path) -> None:
    reads = Anomaly(ERRORS["usual"])
    found = serve(autoencoder(), tmp_path / "net", reads=reads)
    check(Conversation(found.emulated(tmp_path)), found)
    errors = reads.window_errors(found.expected)
    told = answers("anomaly_detection").said(reads, found.expected, ())
    assert [text.split()[0] for text in told] == [*map(str, errors)]
    assert answers("anomaly_detection").wanted((1, 7), ("normal", "broken")) == "broken"


def test_a_clock_of_the_users_is_not_run_in_the_emulator(tmp_path: Path, served: Served) -> None:
    endless = '#include <stdint.h>\nuint32_t clock_setup(void) { for (;;) { __asm__ volatile(""); } }\n'
    board = BOARD.model_copy(update={"clock_setup": "clock.c", "clock_code": endless})
    with over_debugger(served.code, board, SETTINGS, "emulator", "", tmp_path) as reached:
        assert reached.conversation.hello.clock_hz == board.clock


def test_a_sample_of_another_size_is_refused(tmp_path: Path, served: Served) -> None:
    conversation = Conversation(served.emulated(tmp_path))
    with pytest.raises(BuildError, match=r"has inputs of \d+ bytes, samples of this spec have 3"):
        conversation.answer(np.zeros(3, np.int8))


@contextmanager
def line(board: Semihosted, damage: float = 0.0, seed: int = 1) -> Iterator[str]:
    """A pseudo-terminal with ``board`` at its other end: of the pieces that pass, so many lose or change a byte."""
    ours, theirs = pty.openpty()
    chance, ends = random.Random(seed), threading.Event()

    def damaged(data: bytes) -> bytes:
        if not data or chance.random() >= damage:
            return data
        at = chance.randrange(len(data))
        return data[:at] + (b"" if chance.random() < 0.5 else bytes([data[at] ^ 0x10])) + data[at + 1 :]

    def pump() -> None:
        while not ends.is_set():
            if select.select([ours], [], [], 0.01)[0]:
                board.write(damaged(os.read(ours, 4096)))
            if said := damaged(board.read(0.0)):
                os.write(ours, said)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        ends.set()
        thread.join()
        os.close(ours)
        os.close(theirs)


def test_a_serial_port(tmp_path: Path, served: Served) -> None:
    with line(served.emulated(tmp_path)) as port, opened(port, 115_200) as wire:
        check(Conversation(wire), served)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_costs_time_but_no_bit(tmp_path: Path, served: Served, seed: int) -> None:
    with line(served.emulated(tmp_path), damage=0.15, seed=seed) as port, opened(port, 115_200) as wire:
        check(Conversation(wire, patience=0.3), served)


def test_whoever_left_in_the_middle_disturbs_nobody(tmp_path: Path, served: Served) -> None:
    """The firmware still waits for bytes of a sample that no one knows of any more."""
    board = served.emulated(tmp_path)
    Conversation(board)
    board.write(bytes.fromhex("a55a 53 07000000 00000000") + (0x9FC5_2CD9).to_bytes(4, "little"))
    board.read(0.0)
    with line(board) as port, opened(port, 115_200) as wire:
        check(Conversation(wire, patience=0.3), served)


def test_silence_is_told() -> None:
    _, theirs = pty.openpty()
    port = os.ttyname(theirs)
    with (
        opened(port, 9600) as wire,
        pytest.raises(BuildError, match=rf"{port}: no answer within \d+ s; does the board"),
    ):
        Conversation(wire, patience=0.01)


def test_what_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cases = {
        "/dev/ttyNONE": "cannot be opened",
        str(tmp_path / "file"): "no serial port",
        "localhost:1": "nothing answers there",
    }
    for port, told in cases.items():
        with pytest.raises(BuildError, match=told), opened(port, 115_200):
            pass
    with pytest.raises(BuildError, match=r"desk\.baud: found 12345"), opened("/dev/null", 12_345):
        pass


class Script(Server):
    """A GDB server whose board makes these semihosting calls, one whenever it runs: operation and arguments."""

    def __enter__(self) -> "Script":
        super().__enter__()
        return self

    def __init__(self, calls: list[tuple[int, tuple[int, int, int]]]) -> None:
        super().__init__()
        self.calls, self.results = calls, list[int]()

    def run(self) -> None:
        if not self.calls:
            self.registers[15] = SYMBOLS["HardFault_Handler"].address
            return
        operation, arguments = self.calls.pop(0)
        self.results.append(self.registers[0])
        self.store(RAM + 0x600, struct.pack("<III", *arguments))
        self.registers[0], self.registers[1], self.registers[14] = operation, RAM + 0x600, FLASH + 0x201
        self.registers[15] = CALL

    def reply(self, body: bytes) -> bytes | None:
        if body.startswith(b"P"):
            number, value = (int(text, 16) for text in body[1:].split(b"="))
            self.registers[number] = int.from_bytes(value.to_bytes(4, "big"), "little")
            return b"OK"
        return super().reply(body)


CALL, RTT = FLASH + 0x1A0, RAM + 0x800
OPENED = [(1, (RAM + 0x700, 0, 3)), (1, (RAM + 0x700, 4, 3))]


def debugged(server: Script, target: GdbTarget) -> Semihosted:
    code = firmware()
    symbols = {**SYMBOLS, "semihosting": Symbol("semihosting", CALL, 4)}
    return Semihosted(Debugged(target, Firmware(code.path, code.segments, symbols, [])))


def test_calls_are_answered_through_a_debugger() -> None:
    server = Script([*OPENED, (5, (2, RAM + 0x720, 3)), (6, (1, RAM + 0x740, 4)), (5, (2, RAM + 0x740, 2))])
    server.store(RAM + 0x720, b"who")
    with server, connected(server.remote, BOARD) as target:
        wire = debugged(server, target)
        assert wire.read(1.0) == b"who"
        wire.write(b"it")
        assert server.calls, "it waits for bytes"
        with pytest.raises(
            BuildError, match=r"net\.elf: GDB server at .*: the firmware stopped by itself at 0x08000120"
        ):
            wire.read(1.0)
        assert server.load(RAM + 0x740, 2) == b"it"
        assert server.results[1:] == [1, 2, 0, 2], "two handles, all written, two bytes missing"


def test_other_calls_are_refused() -> None:
    told = r"a semihosting call of its own \(0x0e\)"
    with (
        Script([(0x0E, (0, 0, 0))]) as server,
        connected(server.remote, BOARD) as target,
        pytest.raises(BuildError, match=told),
    ):
        debugged(server, target).read(1.0)


class Echo(Server):
    """A GDB server whose board says again what it reads, by rings of eight bytes, while it runs."""

    UP, DOWN = RTT + 24, RTT + 48

    def __init__(self) -> None:
        super().__init__()
        self.store(RTT, bytes(72))
        self.lost = False

    def reply(self, body: bytes) -> bytes | None:
        if body == b"\x03":
            return b"T05thread:1;"
        if body != b"c":
            return super().reply(body)
        if self.load(RTT, 1) == b"\0":
            self.store(RTT, b"SEGGER RTT\0\0\0\0\0\0" + struct.pack("<II", 1, 1))
            for ring, place in ((self.UP, RTT + 100), (self.DOWN, RTT + 108)):
                self.store(ring, struct.pack("<6I", 0, place, 8, 5, 5, 2))
        while (place := self.number(self.DOWN + 16)) != self.number(self.DOWN + 12):
            at = self.number(self.UP + 12)
            if (at + 1) % 8 == self.number(self.UP + 16):
                break
            self.store(RTT + 100 + at, self.load(RTT + 108 + place, 1))
            self.store(self.UP + 12, struct.pack("<I", (at + 1) % 8))
            self.store(self.DOWN + 16, struct.pack("<I", (place + 1) % 8))
        if self.lost:
            self.registers[15] = SYMBOLS["HardFault_Handler"].address
            return b"T05thread:1;"
        return None

    def number(self, address: int) -> int:
        return int.from_bytes(self.load(address, 4), "little")


def test_rings_are_filled_and_read_through_a_debugger() -> None:
    code = firmware(more=(Symbol("_SEGGER_RTT", RTT, 72),))
    with Echo() as server, connected(server.remote, BOARD) as target:
        server.store(RTT, b"SEGGER RTT, of an earlier start")
        wire = Rings(target, code)
        wire.write(sent := bytes(range(50)))
        said = b""
        while len(said) < len(sent):
            more = wire.read(5.0)
            assert more
            said += more
        assert said == sent
        assert wire.read(0.05) == b""
        server.lost = True
        with pytest.raises(BuildError, match=r"net\.elf: .*: the firmware stopped by itself at 0x08000120"):
            wire.read(1.0)
        server.lost = False
        server.store(Echo.DOWN + 12, struct.pack("<I", 8))
        with pytest.raises(BuildError, match=r"a ring of the firmware is damaged \(8 of 8\)"):
            wire.read(1.0)


@needs_qemu
@pytest.mark.parametrize(
    ("name", "wire"), [("stm32f412", "semihosting"), ("stm32h743", "semihosting"), ("stm32f412", "rtt")]
)
def test_qemu_answers_behind_its_debugger(name: str, wire: Probed, tmp_path: Path) -> None:
    board = read_board(name)
    found = serve(random_network(4), tmp_path / "net", board)
    with over_debugger(found.code, board, SETTINGS, "qemu", "", tmp_path, wire) as reached:
        check(reached.conversation, found)
        assert reached.where.startswith("QEMU ") and not reached.silicon


@needs_qemu
def test_a_port_of_a_server_that_shows_rings(tmp_path: Path, served: Served) -> None:
    elf, ends = served.elf(tmp_path, "rtt"), threading.Event()
    with stub() as remote, connected(remote, BOARD) as target, socket.create_server(("127.0.0.1", 0)) as listening:
        rings = Rings(target, read_firmware(elf))

        def show() -> None:
            stream, _ = listening.accept()
            with stream:
                while not ends.is_set():
                    if select.select([stream], [], [], 0.0)[0]:
                        rings.write(stream.recv(4096))
                    stream.sendall(rings.read(0.01))

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        port = f"127.0.0.1:{listening.getsockname()[1]}"
        with over_port(served.code, BOARD, SETTINGS, port, tmp_path, write=False, over="rtt") as reached:
            try:
                check(reached.conversation, served)
            finally:
                ends.set()
                thread.join(10)


def test_a_light_changes_with_each_answer(tmp_path: Path, served: Served) -> None:
    output, mode = 0x2003_0000, 0x2003_0004
    led = Led(address=output, bit=5, setup=(RegisterBits(address=mode, clear=0xF0, set=0x21),))
    board = BOARD.model_copy(update={"desk": Desk(led=led)})
    machine = read_firmware(make(served.code, board, SETTINGS, "semihosting", tmp_path))
    emulator = Emulator(board, machine, [])
    emulator.write(mode, b"\xff\0\0\0")
    emulator.write(output, b"\x01\0\0\0")
    conversation = Conversation(Semihosted(Emulated(emulator, machine)))
    assert emulator.read(mode, 1) == b"\x2f"
    for sample, light in zip(served.samples, (0x21, 0x01, 0x21), strict=False):
        conversation.answer(sample)
        assert emulator.read(output, 1)[0] == light


@contextmanager
def qemu(*options: str) -> Iterator[str]:
    """QEMU with an STM32F405 and a pseudo-terminal, whose path it tells."""
    quiet = ["-display", "none", "-monitor", "none"]
    command = [QEMU, "-M", "netduinoplus2", *quiet, *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield re.findall(r"redirected to (\S+)", process.stdout.readline())[0]
        finally:
            process.kill()


@needs_qemu
def test_real_semihosting_calls(tmp_path: Path, served: Served) -> None:
    """Served by QEMU itself, so that the calls are those that debuggers understand: console is its stdin and stdout."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    quiet = ["-display", "none", "-monitor", "none", "-serial", "none"]
    console = ["-semihosting-config", "enable=on,target=native", "-kernel", str(served.elf(tmp_path))]
    with subprocess.Popen([QEMU, "-M", "netduinoplus2", *quiet, *console], stdin=theirs, stdout=theirs) as process:
        try:
            check(Conversation(Descriptor(ours, "QEMU"), patience=2.0), served)
        finally:
            process.kill()
    os.close(ours)
    os.close(theirs)


[UART] = re.findall(r"^```c\n(#include.*?)^```", (ROOT / "docs" / "boards.md").read_text(), re.M | re.S)
"""What the documentation gives as an example: USART3 of an STM32F4."""


@pytest.fixture
def with_uart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a board that has a UART."""
    folder = tmp_path / "boards"
    folder.mkdir()
    text = (ROOT / "boards" / "stm32f412.toml").read_text()
    (folder / "mine.toml").write_text(re.sub("^desk = .*", 'desk = { uart = "uart.c" }', text, flags=re.M))
    (folder / "uart.c").write_text(UART)
    monkeypatch.chdir(tmp_path)
    return folder


@needs_qemu
def test_a_uart_of_the_users(tmp_path: Path, served: Served, with_uart: Path) -> None:
    board = read_board("mine")
    elf = Served(served.code, board, served.samples, served.expected).elf(tmp_path, "uart")
    with (
        qemu("-serial", "null", "-serial", "null", "-serial", "pty", "-kernel", str(elf)) as port,
        over_port(served.code, board, SETTINGS, port, tmp_path, write=False) as reached,
    ):
        check(reached.conversation, served)
        assert reached.silicon, "as far as one can tell"


def test_a_uart_that_lacks_a_function(tmp_path: Path, served: Served, with_uart: Path) -> None:
    (with_uart / "uart.c").write_text(UART.replace("uart_read", "uart_get"))
    with pytest.raises(BuildError, match=r"desk\.uart: found no function uart_read in 'uart\.c'; define it"):
        Served(served.code, read_board("mine"), served.samples, served.expected).elf(tmp_path, "uart")
    with pytest.raises(BuildError, match=r"stm32f412\.toml: desk\.uart: found none"):
        served.elf(tmp_path, "uart")
