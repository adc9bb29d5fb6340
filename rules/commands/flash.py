"""Firmware to a board on the desk: ``doit flash spec=<file>``."""

from rules.command import Command
from rules.options import BY
from rules.stage import BUILD, Resolved

_ELF, _BINARY = "firmware.elf", "firmware.bin"


def _flash(resolved: Resolved) -> None:
    from mcubuild.board import Board
    from mcubuild.device.flash import Image, write

    name, folder = resolved["spec"]["name"], BUILD / resolved["spec"]["name"]
    board = Board.model_validate(resolved["board"])
    done = write(board, Image(folder / _ELF, folder / _BINARY), BY.chosen)
    print(f"{name}: {folder / _ELF} {done}; it runs on the {board.title}.")


COMMAND = Command(
    name="flash",
    doc="the firmware of {} to the flash of a board that is connected",
    work=_flash,
    needs=(_ELF, _BINARY),
)
