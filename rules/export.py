"""What was built in formats of other tools: ``doit export spec=<file> to=bin,hex``."""

from mcubuild.errors import BuildError, shown, writing
from rules.command import Command
from rules.options import TO
from rules.stage import BUILD, Resolved

FORMATS = ("bin", "hex")
_IMAGE = "firmware.bin"


def _formats() -> list[str]:
    """Those of ``to=``, all by default.

    Raises:
        BuildError: there is no such format.
    """
    found = list(FORMATS) if TO.given == "all" else TO.words
    if wrong := [one for one in found if one not in FORMATS]:
        raise BuildError(f"to={shown(wrong[0])}: there is no such format; allowed: {', '.join(FORMATS)}, all.")
    return found


def _export(resolved: Resolved) -> None:
    from mcubuild.board import Board
    from mcubuild.export.hex import intel_hex

    name = resolved["spec"]["name"]
    formats, board = _formats(), Board.model_validate(resolved["board"])
    image = (BUILD / name / _IMAGE).read_bytes()
    folder = BUILD / name / "export"
    with writing(BUILD):
        folder.mkdir(exist_ok=True)
        for one in formats:
            path = folder / f"{name}.{one}"
            path.write_bytes(image if one == "bin" else intel_hex(image, board.flash.origin).encode())
            print(f"{path}: from 0x{board.flash.origin:08X} on, {len(image)} bytes")


COMMAND = Command(
    name="export",
    doc="the firmware of {} for flash programmers",
    work=_export,
    needs=(_IMAGE,),
)
