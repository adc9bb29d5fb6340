"""The run over a GDB server that is made up: what QEMU's has not, and what goes wrong."""

import re
import socket
from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.errors import BuildError
from mcubuild.measure.elf import Symbol
from mcubuild.measure.remote import runner
from mcubuild.measure.remote.flash import blocks, flash_regions
from mcubuild.measure.remote.runner import connected
from mcubuild.measure.remote.session import Observation, Session
from mcubuild.measure.result import RemoteMeasurement
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from tests.measure.remote.server import BLOCK, CODE, FLASH, RAM, SYMBOLS, Server, firmware

BOARD = read_board("stm32f412")
SAMPLES = np.arange(-8, 16, dtype=np.int8).reshape(3, 8)


def run(server: Server, *without: str, patience: float = 5.0) -> Observation:
    with connected(server.remote, BOARD) as target:
        return Session(target, firmware(*without), ("layer_00_add",), patience).run(SAMPLES)


def message(server: Server, *without: str, patience: float = 5.0) -> str:
    with pytest.raises(BuildError) as caught:
        run(server, *without, patience=patience)
    return str(caught.value)


def hexed(text: str) -> bytes:
    return text.encode().hex().encode()


def test_samples_and_cycles() -> None:
    with Server() as server:
        seen = run(server)
    np.testing.assert_array_equal(seen.outputs, SAMPLES + 1)
    assert seen.cycles == (5000, 6000, 7000)
    assert seen.clock_hz == 100_000_000
    assert seen.note is None
    assert server.requests[-1] == b"D"
    assert not server.breakpoints


class Remembering(Server):
    """Its board adds up the first byte of all inputs that it has seen, from 100 on."""

    def run(self) -> None:
        """To the next breakpoint."""
        before = self.load(STATE.address, 1)[0]
        super().run()
        if self.registers[15] == SYMBOLS["model_done"].address:
            total = before + self.load(SYMBOLS["model_input"].address, 1)[0] & 0xFF
            self.store(STATE.address, bytes([total]))
            self.store(SYMBOLS["model_output"].address, bytes([total]) * 8)
        elif not self.cycles > 5000:
            self.store(STATE.address, b"d")


STATE = Symbol("model_state", RAM + 0x420, 1)


def test_each_sample_begins_with_the_initial_state() -> None:
    """Of a firmware that remembers; a sample is several runs, of which the outputs of all come back."""
    runs = np.arange(1, 49, dtype=np.int8).reshape(2, 3 * 8)
    image = firmware(more=(STATE,))
    with Remembering() as server, connected(server.remote, BOARD) as target:
        seen = Session(target, image, ("layer_00_add",)).run(runs)
    expected = [100 + runs[:, ::8].cumsum(axis=1)[sample] for sample in range(2)]
    np.testing.assert_array_equal(seen.outputs[:, ::8], np.array(expected).astype(np.int8))
    assert seen.cycles is not None and len(seen.cycles) == 6


def test_flash_is_erased_by_blocks_and_written_once() -> None:
    with Server() as server:
        run(server)
    assert server.load(FLASH, len(CODE)) == CODE
    assert server.erased == [(FLASH, 4 * BLOCK)]  # the code reaches into the third block, the data are in the fourth
    order = [match[0] for request in server.requests if (match := re.match(rb"vFlash[A-Z][a-z]+", request))]
    assert order[0] == b"vFlashErase" and order[-1] == b"vFlashDone" and order.count(b"vFlashDone") == 1
    assert max(map(len, server.requests)) + 4 <= 0x200  # PacketSize
    with Server() as again:
        again.memory = server.memory
        run(again)
    assert not again.erased, "what is there already is not written again"


def test_erased_blocks_of_regions_that_touch() -> None:
    region = '<memory type="flash" start="{}" length="{}"><property name="blocksize">{}</property></memory>'
    text = region.format(0, 64, 16) + region.format(64, 256, 64)
    regions = flash_regions(f"<memory-map>{text}<memory type='ram' start='0x1000' length='16'/></memory-map>")
    assert blocks(regions, [(20, b"x" * 20), (40, b"x" * 30), (0x1000, b"x")]) == [(16, 48), (64, 64)]
    with pytest.raises(BuildError, match="memory map cannot be understood"):
        flash_regions("<memory-map>")


def test_flash_that_keeps_its_content() -> None:
    with Server() as server:
        server.answers[b"vFlashWrite"] = b"OK"
        assert "bytes at 0x08000000 read back other than written" in message(server)


def test_flash_that_the_server_cannot_write() -> None:
    with Server() as server:
        server.answers[b"vFlashErase"] = [b"$O%b#%02x" % (c := hexed("protected"), sum(b"O" + c) & 255), b"$E01#a6"]
        assert "'vFlashErase' failed (answer 'E01'): protected" in message(server)


def test_a_server_without_a_memory_map_writes_memory() -> None:
    with Server("PacketSize=190") as server:
        assert run(server).outputs.shape == (3, 8)
    assert server.load(FLASH, len(CODE)) == CODE
    assert not any(request.startswith(b"vFlash") for request in server.requests)


def test_a_server_without_reset_is_given_registers() -> None:
    with Server() as server:
        server.answers |= {b"qRcmd": b"", b"P": b"OK"}
        run(server)
    assert [request for request in server.requests if request.startswith(b"P")] == [
        b"Pd=00040020",
        b"Pf=00010008",
        b"P19=00000001",
    ]


def test_the_description_numbers_registers() -> None:
    with Server("PacketSize=400;qXfer:features:read+") as server:
        main = b'l<target><xi:include href="core.xml"/></target>'
        core = b'l<feature><reg name="sp" regnum="13"/><reg bitsize="32" name="lr"/><reg name="pc"/>'
        server.answers |= {
            b"qXfer:features:read:target.xml": main,
            b"qXfer:features:read:core.xml": core + b'<reg name="xPSR"/></feature>',
            b"qRcmd": b"",
            b"P": b"OK",
        }
        run(server)
    assert b"P10=00000001" in server.requests


def test_reset_commands_are_tried_until_one_is_known() -> None:
    """pyOCD answers in text, also to what it does not know; QEMU prints that and says OK."""
    with Server() as server:
        unknown = hexed("unknown command: 'reset halt'")
        server.answers |= {
            b"qRcmd," + hexed("reset halt"): [b"$O%b#%02x" % (unknown, sum(b"O" + unknown) & 255), b"$OK#9a"],
            b"qRcmd," + hexed("reset"): hexed("Resetting target\n"),
            b"P": b"OK",
        }
        run(server)
    asked = [bytes.fromhex(r[6:].decode()).decode() for r in server.requests if r.startswith(b"qRcmd,")]
    assert [command for command in asked if "reset" in command] == ["reset halt", "reset"]


def test_breakpoints_in_memory_where_the_core_has_none() -> None:
    with Server() as server:
        server.answers[b"Z1"] = b""
        run(server)
    assert any(request.startswith(b"Z0") for request in server.requests)
    with Server() as server:
        server.answers[b"Z"] = b"E01"
        assert "no breakpoint can be set at 0x08000" in message(server)


def test_what_answers_has_a_name() -> None:
    with Server() as server, connected(server.remote, BOARD) as target:
        assert target.silicon
        assert target.description == f"GDB server at {server.remote}"
    with Server() as server:
        server.answers[b"qRcmd," + hexed("version")] = hexed("Open On-Chip Debugger 0.12.0\nmore")
        with connected(server.remote, BOARD) as target:
            assert target.description == f"Open On-Chip Debugger 0.12.0 at {server.remote}"
    with Server() as server:
        server.answers[b"qRcmd," + hexed("version")] = hexed("Renode, version 1.15")
        with connected(server.remote, BOARD) as target:
            assert not target.silicon


def test_cycles_that_cannot_be_believed() -> None:
    with Server() as server:
        seen = run(server, "model_cycles")
    assert seen.cycles is None and seen.note == "no cycles: the core has no cycle counter"
    with Server() as server:
        server.cycles = server.step = 0
        seen = run(server)
    assert seen.cycles is None and "DWT_CYCCNT" in str(seen.note)
    with Server() as server:
        server.clock, server.seconds = 2**32 - 1, 1.05  # the counter overflows after a second
        seen = run(server)
    assert seen.cycles is None and "longer than the 32-bit counter counts" in str(seen.note)


def test_a_run_without_an_end() -> None:
    with Server() as server:
        server.registers[15] = SYMBOLS["layer_00_add"].address
        server.answers |= {b"qRcmd": b"", b"P": b"OK", b"c": lambda: None, b"\x03": b"T02"}
        text = message(server, patience=0.2)
    assert "starting up, the firmware did not reach model_ready within 0.2 s; it was in layer_00_add at 0x0800" in text


def test_a_target_that_cannot_be_halted(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        server.answers |= {b"c": lambda: None, b"\x03": lambda: server.stream.shutdown(socket.SHUT_RDWR)}
        assert "the connection was lost" in message(server, patience=0.2)


def test_a_connection_that_ends_within_a_run() -> None:
    with Server() as server:
        server.answers[b"c"] = lambda: server.stream.shutdown(socket.SHUT_RDWR)
        assert re.search(
            r"127\.0\.0\.1:\d+: the connection was lost .* after '\$c#63'; look at the server", message(server)
        )


def test_a_core_that_stops_by_itself() -> None:
    def fault() -> None:
        server.registers[15] = SYMBOLS["layer_00_add"].address + 4
        server.send(b"T0bthread:1;")

    with Server() as server:
        server.answers[b"c"] = fault
        text = message(server)
    assert (
        "the firmware stopped by itself (BKPT, or a fault that the debugger catches) in layer_00_add at 0x0800" in text
    )


def test_a_fault_with_a_stack_elsewhere() -> None:
    def fault() -> None:
        server.registers[13], server.registers[15] = 0x1FFF_FFE0, SYMBOLS["HardFault_Handler"].address
        server.send(b"T05")

    with Server() as server:
        server.answers[b"c"] = fault
        text = message(server)
    assert "faults with the stack pointer at 0x1fffffe0, outside of the stack; raise [firmware] stack" in text


@pytest.mark.parametrize("answer", [b"", b"E01", b"W00"])
def test_a_core_that_does_not_run(answer: bytes) -> None:
    with Server() as server:
        server.answers[b"c"] = answer
        assert f"does not run, or has ended (answer {answer.decode()!r})" in message(server)


def test_memory_that_cannot_be_read() -> None:
    with Server() as server:
        server.answers[b"m"] = b"E14"
        assert "bytes at 0x08000000 cannot be read (answer 'E14')" in message(server)


def measured(server: Server, monkeypatch: pytest.MonkeyPatch) -> RemoteMeasurement:
    monkeypatch.setattr(runner, "read_firmware", lambda path: firmware())
    settings = MeasureSettings(runner="gdb", remote=server.remote)
    return runner.measure_remotely(Path("net.elf"), Path(), BOARD, settings, FirmwareSettings(), SAMPLES, [])


def test_latency_follows_the_clock_that_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        result = measured(server, monkeypatch)
    assert result.cycles is not None
    assert (result.cycles.min, result.cycles.mean, result.cycles.max) == (5000, 6000, 7000)
    assert result.latency_ms == pytest.approx(0.06)
    assert (result.clock_hz, result.note, result.silicon, result.samples) == (100_000_000, None, True, 3)
    with Server() as server:
        server.clock = 16_000_000
        result = measured(server, monkeypatch)
    assert result.latency_ms == pytest.approx(0.375)
    assert result.clock_hz == 16_000_000
    assert "16 MHz, its oscillator after reset, not at the board's 100 MHz: the clock set-up failed" in str(result.note)
    with Server() as server:
        server.clock = 0
        result = measured(server, monkeypatch)
    assert result.cycles is not None and result.latency_ms is None and result.clock_hz is None
    assert "no latency: the firmware does not know the core clock" in str(result.note)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        remote = f"localhost:{listener.getsockname()[1]}"
    with pytest.raises(BuildError) as caught, connected(remote, BOARD):
        pass
    text = str(caught.value)
    assert text.startswith(f"gdb runner: nothing answers at {remote} (connection refused). Start a server (openocd -f ")
    for part in ("-f target/stm32f4x.cfg; pyocd gdbserver -t stm32f412xg; JLinkGDBServer", 'runner = "emulator"'):
        assert part in text


def test_commands_that_messages_propose_run_nothing_else() -> None:
    evil = BOARD.model_copy(update={"openocd": "a b.cfg; touch owned", "pyocd_target": "$(touch owned)\nx"})
    for remote in ("localhost:1", f"{'a' * 70}:1", "..:1"):
        with pytest.raises(BuildError, match="nothing answers at") as caught, connected(remote, evil):
            pass
        assert "-f 'a b.cfg; touch owned'; pyocd gdbserver -t '$(touch owned)\\nx'; JLink" in str(caught.value)
