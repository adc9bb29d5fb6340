"""Firmware that answers samples: the network's C as it is, with another main around it."""

import shutil
from pathlib import Path

from mcubuild.board import Board, uart_code
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link
from mcubuild.toolchain.firmware import Wire

_UART = "uart.c"


def make(code: Path, board: Board, settings: FirmwareSettings, wire: Wire, out: Path) -> Path:
    """Write ``out``/c, with a firmware that answers over ``wire``, and link ``out``/firmware.elf and .bin of it.

    Args:
        code: the folder with the network's C, as codegen made it.
        board: what it is for.
        settings: compiler, flags, stack.
        wire: what it answers over.
        out: a folder, made if it is not there; what an earlier call wrote there is replaced.

    Returns:
        The ELF.

    Raises:
        BuildError: the board has no functions for a UART, the compiler refuses them, or the firmware does not fit.
    """
    uart = uart_code(board) if wire == "uart" else None
    out.mkdir(exist_ok=True)
    folder = out / "c"
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(code, folder)
    firmware.generate(board, settings.stack, folder, settings.prefix, wire)
    if uart is not None:
        (folder / _UART).write_text(uart, encoding="utf-8", newline="")
    link(folder, board, settings, out)
    return out / "firmware.elf"
