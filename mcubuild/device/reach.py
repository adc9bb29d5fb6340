"""Gets a firmware that answers samples to run: in the emulator, in QEMU, or on a board; and talks with it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcubuild.board import Board, Desk
from mcubuild.device import flash
from mcubuild.device.conversation import Conversation, Wire
from mcubuild.device.firmware import make
from mcubuild.device.rtt import Rings
from mcubuild.device.semihosting import Debugged, Emulated, Semihosted
from mcubuild.device.wires import opened
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.remote.probe import attached
from mcubuild.measure.remote.qemu import image_for, running
from mcubuild.measure.remote.runner import connected
from mcubuild.measure.remote.target import Target
from mcubuild.spec.firmware import FirmwareSettings

Runner = Literal["emulator", "qemu", "gdb", "pyocd"]
Probed = Literal["semihosting", "rtt"]
"""How bytes get to a firmware that a debugger has in hand."""
Ported = Literal["uart", "rtt"]
"""What a port may be of."""


@dataclass(frozen=True)
class Reached:
    """A firmware that answers."""

    conversation: Conversation
    where: str
    """What runs it."""
    silicon: bool
    """Whether that is a chip, whose cycles are those of its own counter."""


@contextmanager
def over_debugger(
    code: Path,
    board: Board,
    settings: FirmwareSettings,
    runner: Runner,
    remote: str,
    out: Path,
    wire: Probed = "semihosting",
) -> Iterator[Reached]:
    """The network in ``code`` where a debugger or the emulator has the core in hand.

    Args:
        code: the folder with the network's C.
        board: what it is for.
        settings: how it is compiled.
        runner: what runs it.
        remote: host:port of the GDB server of ``runner`` "gdb".
        out: a folder for the firmware.
        wire: how bytes get there; the emulator serves semihosting alone.

    Raises:
        BuildError: it does not fit, or there is nothing to run it on.
    """
    if runner in ("emulator", "qemu"):
        board = board.model_copy(update={"desk": None})  # there is no light
    elf = make(code, board, settings, wire, out)
    firmware = read_firmware(elf)
    with ExitStack() as stack:
        if runner == "emulator":
            # Registers of a clock of the user's are not there: its set-up is not run.
            machine = Emulated(Emulator(board, firmware, []), firmware, board.clock if board.clock_code else None)
            yield Reached(Conversation(Semihosted(machine)), f"emulator ({board.core})", silicon=False)
            return
        target: Target
        if runner == "qemu":
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            image = image_for(elf, out / "c", board, settings, scratch)
            firmware, target = image.firmware, stack.enter_context(running(image.machine))
        elif runner == "gdb":
            target = stack.enter_context(connected(remote, board))
        else:
            target = stack.enter_context(attached(board))
        probed = Rings(target, firmware) if wire == "rtt" else Semihosted(Debugged(target, firmware))
        yield Reached(Conversation(probed, patience=20.0), target.description, target.silicon)


@contextmanager
def over_port(
    code: Path,
    board: Board,
    settings: FirmwareSettings,
    port: str,
    out: Path,
    *,
    write: bool,
    over: Ported = "uart",
) -> Iterator[Reached]:
    """The network in ``code`` on the board at a serial port, or at the port of a server that shows its RTT.

    Args:
        code: the folder with the network's C.
        board: which it is; its file names a UART, if it talks ``over`` that.
        settings: how it is compiled.
        port: such as ``/dev/ttyACM0``, or host:port.
        out: a folder for the firmware.
        write: whether the firmware is written to the flash first, or is there already.
        over: what the port is of.

    Raises:
        BuildError: it does not fit, cannot be written, or nobody answers.
    """
    elf = make(code, board, settings, over, out)
    if write:
        flash.write(board, flash.Image(elf, elf.with_suffix(".bin")))
    wire: Wire
    with opened(port, (board.desk or Desk()).baud) as wire:
        yield Reached(Conversation(wire), f"board at {port}", silicon=True)
