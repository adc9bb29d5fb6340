"""Runs a firmware outside of the emulator: chooses the target and gathers what it says."""

import contextlib
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts.measured import Range, RemoteRunner
from mcubuild.board import Board
from mcubuild.errors import BuildError
from mcubuild.escape import shell_word
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.remote.connection import Connection
from mcubuild.measure.remote.gdb import GdbTarget
from mcubuild.measure.remote.probe import attached
from mcubuild.measure.remote.qemu import image_for, running
from mcubuild.measure.remote.session import Observation, Session
from mcubuild.measure.remote.target import Target
from mcubuild.measure.result import RemoteMeasurement
from mcubuild.measure.runner import chosen
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import DEFAULT_REMOTE, MeasureSettings


def measure_remotely(
    elf: Path,
    code: Path,
    board: Board,
    settings: MeasureSettings,
    firmware: FirmwareSettings,
    inputs: NDArray[np.int8],
    layers: list[str],
) -> RemoteMeasurement:
    """Run the firmware on the chosen inputs with ``settings.runner``.

    Args:
        elf: the linked firmware.
        code: the folder of C that it was made from; QEMU may need it linked for another memory map.
        board: what it was built for.
        settings: the runner, and how many samples.
        firmware: how it was compiled.
        inputs: int8 (N, ...), one network input each.
        layers: names of the layers' C functions, in order.

    Raises:
        BuildError: there is nothing to run it on, or the firmware faults or hangs.
    """
    assert settings.runner != "emulator"
    samples = np.ascontiguousarray(inputs[chosen(len(inputs), settings)])
    note = None
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        target: Target
        image = read_firmware(elf)
        if settings.runner == "qemu":
            found = image_for(elf, code, board, firmware, Path(scratch))
            image, note = found.firmware, found.note
            target = stack.enter_context(running(found.machine))
        elif settings.runner == "gdb":
            target = stack.enter_context(connected(settings.remote or DEFAULT_REMOTE, board))
        else:
            target = stack.enter_context(attached(board))
        seen = Session(target, image, tuple(layers)).run(samples)
        return _summary(settings.runner, target, board, seen, note)


@contextlib.contextmanager
def connected(remote: str, board: Board) -> Iterator[GdbTarget]:
    """The board behind the GDB server at ``remote`` (host:port), halted; it runs on when the context ends.

    Raises:
        BuildError: nothing answers there.
    """
    host, _, port = remote.rpartition(":")
    try:
        stream = socket.create_connection((host.strip("[]"), int(port)), timeout=5.0)
    except (OSError, ValueError, OverflowError) as error:  # a name that no host can have, no number, or too large a one
        raise BuildError(
            f"gdb runner: nothing answers at {remote} ({_reason(error)}). Start a server "
            f'({_servers(board)}), name another with [measure] remote, or set runner = "emulator".'
        ) from None
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target = GdbTarget(Connection(stream, f"gdb runner: {remote}"))
    try:
        yield target
    finally:
        target.close()


def _reason(error: OSError | ValueError | OverflowError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection within 5 s"
    return re.sub(r"^\[.*?\]\s*", "", getattr(error, "strerror", None) or str(error)).lower()


def _servers(board: Board) -> str:
    chip = shell_word(board.openocd) if board.openocd else "target/<chip>.cfg"
    name = shell_word(board.pyocd_target) if board.pyocd_target else "<chip>"
    return f"openocd -f interface/stlink.cfg -f {chip}; pyocd gdbserver -t {name}; JLinkGDBServer; st-util -p 3333"


def _summary(
    runner: RemoteRunner, target: Target, board: Board, seen: Observation, note: str | None
) -> RemoteMeasurement:
    notes = [part for part in (note, seen.note) if part]
    cycles = clock = latency = None
    if seen.cycles is not None:
        cycles = Range(min(seen.cycles), sum(seen.cycles) / len(seen.cycles), max(seen.cycles))
        clock = seen.clock_hz
        if clock is None:
            notes.append("no latency: the firmware does not know the core clock (its clock_setup returned 0)")
        else:
            latency = cycles.mean / clock * 1e3
            if board.clock_setup is None:
                notes.append(f"the clock, {clock / 1e6:g} MHz, is the reset_clock of the board's file")
    if seen.clock_hz not in (None, board.runs_at):
        notes.append(
            f"the core ran at {seen.clock_hz / 1e6:g} MHz, its oscillator after reset, not at the board's "
            f"{board.runs_at / 1e6:g} MHz: the clock set-up failed, and memories waited less than at full speed"
        )
    return RemoteMeasurement(
        runner=runner,
        target=target.description,
        silicon=target.silicon,
        samples=len(seen.outputs),
        cycles=cycles,
        clock_hz=clock if cycles else seen.clock_hz,
        latency_ms=latency,
        note="; ".join(notes) or None,
        outputs=seen.outputs,
    )
