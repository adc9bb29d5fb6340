"""The network as an Arduino library: https://arduino.github.io/arduino-cli/latest/library-specification/."""

from pathlib import Path

from mcubuild.export.format import Built, Exported, Format
from mcubuild.export.library import NEEDS, OPTIONAL, write_archive, write_library

_TEMPLATES = {
    "library.properties": "arduino/library.properties.j2",
    "keywords.txt": "arduino/keywords.txt.j2",
    "examples/classify/classify.ino": "arduino/classify.ino.j2",
    "examples/classify/sample.h": "sample.h.j2",
}
_INSTALL = (
    "In the Arduino IDE: Sketch > Include Library > Add .ZIP Library; then File > Examples > this library > classify. "
    "It runs on any core with 32 bits, on a Cortex-M with the DSP extension by its instructions."
)


def _write(built: Built, folder: Path) -> Exported:
    out, _ = write_library(built, folder / "arduino", _TEMPLATES, _INSTALL)
    path = folder / f"{out.name}-arduino.zip"
    write_archive(out, path, out.name)
    told = f"an Arduino library with the example classify; its files are in {out}"
    return Exported(path, told, "add it in the Arduino IDE: Sketch > Include Library > Add .ZIP Library")


FORMAT = Format(NEEDS, _write, OPTIONAL)
