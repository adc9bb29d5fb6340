"""The network as an int8 .tflite file."""

from pathlib import Path

from mcubuild.export.format import INDEX, NETWORK, Built, Exported, Format
from mcubuild.export.tflite.file import About, tflite_file

LICENSE = "The network is yours: mcubuild asks for nothing."


def _write(built: Built, folder: Path) -> Exported:
    told = f"{built.name}: a network of 8-bit integers for {built.board.title}, made by mcubuild."
    about = About(built.name, told, LICENSE, built.classes, built.pictures)
    path = folder / f"{built.name}.tflite"
    path.write_bytes(data := tflite_file(built.graph, about))
    return Exported(
        path,
        f"{len(data)} bytes, {len(built.graph.ops)} operators",
        f'open it in Netron, run it with LiteRT, or bring it back: [model] file = "{path.name}"',
    )


FORMAT = Format(NETWORK, _write, INDEX)
