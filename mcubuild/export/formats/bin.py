"""The firmware's bytes alone."""

from pathlib import Path

from mcubuild.export.format import IMAGE, Built, Exported, Format


def _write(built: Built, folder: Path) -> Exported:
    path = folder / f"{built.name}.bin"
    path.write_bytes(built.image)
    origin = f"0x{built.board.flash.origin:08X}"
    return Exported(path, f"{len(built.image)} bytes for {origin} on", f"st-flash write {path.name} {origin}, or alike")


FORMAT = Format(IMAGE, _write)
