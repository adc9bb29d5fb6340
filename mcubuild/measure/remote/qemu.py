"""QEMU as a target: which of its machines runs a firmware, and the process.

Source: QEMU's System Emulation manual, "Arm System emulator", and ``info mtree`` of QEMU 7.2 for the memories. QEMU
has no STM32 but the F405 and smaller ones. It models no clock tree, no caches and no cycle counter; it does model the
faults of unaligned LDRD, LDM and the like, which unicorn lets through.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcubuild.board import Board, Memory
from mcubuild.cores.core import QemuMachine, core_of, cores
from mcubuild.errors import BuildError
from mcubuild.lifeline import tied
from mcubuild.measure.elf import Firmware, read_firmware
from mcubuild.measure.remote.connection import Connection
from mcubuild.measure.remote.gdb import GdbTarget
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain.environment import environment

_QEMU = "qemu-system-arm"


@dataclass(frozen=True)
class Machine:
    """A machine of QEMU."""

    name: str
    core: str
    memory: tuple[Memory, ...]


def _memories(known: QemuMachine) -> Machine:
    """The machine, with its memories as boards have them."""
    kinds: tuple[tuple[Literal["flash", "ram"], str, tuple[int, int]], ...]
    kinds = (("flash", "FLASH", known.flash), ("ram", "SRAM", known.ram))
    memory = [
        Memory(name=name, kind=kind, origin=place[0], size=place[1], wait_states=0) for kind, name, place in kinds
    ]
    return Machine(known.name, known.core, tuple(memory))


_STM32F405 = _memories(QemuMachine("netduinoplus2", "Cortex-M4", (0x0800_0000, 1 << 20), (0x2000_0000, 128 << 10)))
"""Which executes the code of all smaller cores, too, and has the memory map of many boards."""


@dataclass(frozen=True)
class Image:
    """Firmware for a machine."""

    machine: Machine
    firmware: Firmware
    note: str
    """How it relates to the board's firmware."""


def image_for(elf: Path, code: Path, board: Board, settings: FirmwareSettings, scratch: Path) -> Image:
    """The board's firmware as it is where a machine has memory wherever it has bytes; otherwise linked once more.

    Args:
        elf: the board's firmware.
        code: the folder of C that it was made from.
        board: the board.
        settings: as it was compiled with.
        scratch: an empty folder.

    Raises:
        BuildError: QEMU has no machine for the board's core, or the compiler fails.
    """
    from mcubuild.toolchain.compile import link
    from mcubuild.toolchain.firmware import generate_linker_script
    from mcubuild.toolchain.sizes import read_image

    roomy = core_of(board.core).machine
    if roomy is None:
        known = ", ".join(sorted(name for name, core in cores().items() if core.machine is not None))
        raise BuildError(
            f'qemu runner: no machine is known here for a {board.core}, only for {known}; set runner = "emulator".'
        )
    places = [range(section.address, section.address + section.size) for section in read_image(elf).sections]
    if all(_holds(_STM32F405, place) for place in places):
        as_is = f"the board's ELF, unmodified, on a {_STM32F405.core} of QEMU, whose memory map is like the board's"
        return Image(_STM32F405, read_firmware(elf), as_is)
    machine = _memories(roomy)
    folder = scratch / "c"
    shutil.copytree(code, folder)
    elsewhere = board.model_copy(update={"memory": machine.memory, "boot": None})
    generate_linker_script(elsewhere, settings.stack, folder, settings.prefix)
    link(folder, elsewhere, settings, scratch)
    return Image(
        machine,
        read_firmware(scratch / "firmware.elf"),
        f"the board's C and compiler flags, linked for the memory map of QEMU's {machine.name} ({machine.core}): "
        "no machine of QEMU has memory wherever the board's ELF lies",
    )


def _holds(machine: Machine, place: range) -> bool:
    return any(memory.origin <= place.start and place.stop <= memory.end for memory in machine.memory)


class QemuTarget(GdbTarget):
    """A machine of QEMU; its clock needs no setting up, and MPS2 machines have other devices where that writes."""

    def reset(self, firmware: Firmware) -> None:
        """See Target; then the start-up code is run to where it sets up the clock, and past that."""
        super().reset(firmware)
        if firmware.has("clock_setup") and self.run_to({firmware.symbol("clock_setup").address}, 10.0) is not None:
            self.set_register("r0", 0)  # its result: the clock is not known
            self.set_register("pc", self.register("lr") & ~1)


@contextlib.contextmanager
def running(machine: Machine) -> Iterator[QemuTarget]:
    """A started QEMU, halted before its first instruction; it ends with the context.

    Raises:
        BuildError: QEMU is not installed or does not start.
    """
    path = shutil.which(_QEMU)
    if path is None:
        raise BuildError(
            f"qemu runner: QEMU is not installed (looked for {_QEMU} on the PATH); install it (Debian: apt install "
            'qemu-system-arm; macOS: brew install qemu) or set runner = "emulator".'
        )
    # In /tmp, as the path of a socket may have no more than 107 bytes.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, tempfile.TemporaryFile("w+") as messages:
        door = str(Path(folder, "gdb"))
        quiet = ["-display", "none", "-serial", "none", "-monitor", "none"]
        command = [path, "-M", machine.name, *quiet, "-S", "-gdb", f"unix:{door},server=on,wait=off"]
        process = subprocess.Popen(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            preexec_fn=tied(),
        )
        try:
            target = QemuTarget(Connection(_knock(door, process), f"qemu runner: {machine.name}"))
            try:
                yield target
            finally:
                target.close()
        except BuildError as error:
            messages.seek(0)
            said = messages.read().strip()
            raise BuildError(*error.args, *([f"QEMU said: {said}"] if said else [])) from None
        finally:
            process.kill()
            process.wait()


def _knock(door: str, process: "subprocess.Popen[bytes]") -> socket.socket:
    """A connection to the socket ``door``, as soon as there is one."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(door)
            return stream
        except OSError:
            stream.close()
            time.sleep(0.02)
    raise BuildError("qemu runner: QEMU does not start.")
