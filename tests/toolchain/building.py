"""From a folder of C to a linked firmware, as the build does it."""

from pathlib import Path

from mcubuild.board import Board
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain import firmware


def build(folder: Path, board: Board, settings: FirmwareSettings) -> Path:
    """The folder with the ELF of the C in ``folder``."""
    firmware.generate(board, settings.stack, folder)
    out = folder.parent / "out"
    out.mkdir()
    compiling.link(folder, board, settings, out)
    return out
