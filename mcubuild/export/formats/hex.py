"""The firmware as Intel HEX."""

from pathlib import Path

from mcubuild.export.format import IMAGE, Built, Exported, Format
from mcubuild.export.hex import intel_hex


def _write(built: Built, folder: Path) -> Exported:
    path, origin = folder / f"{built.name}.hex", built.board.flash.origin
    path.write_text(intel_hex(built.image, origin), encoding="ascii", newline="\n")
    return Exported(path, f"{len(built.image)} bytes from 0x{origin:08X} on", "any flash programmer takes it")


FORMAT = Format(IMAGE, _write)
