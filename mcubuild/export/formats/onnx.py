"""The network as ONNX, with QuantizeLinear and DequantizeLinear."""

from pathlib import Path

from mcubuild.export.format import INDEX, NETWORK, Built, Exported, Format
from mcubuild.export.onnx_file import onnx_file


def _write(built: Built, folder: Path) -> Exported:
    told = f"{built.name}: a network of 8-bit integers for {built.board.title}, made by mcubuild."
    path = folder / f"{built.name}.onnx"
    path.write_bytes(data := onnx_file(built.graph, built.name, told, built.classes))
    return Exported(
        path,
        f"{len(data)} bytes, {len(built.graph.ops)} operators between QuantizeLinear and DequantizeLinear",
        f'open it in Netron, run it with ONNX Runtime, or bring it back: [model] file = "{path.name}"',
    )


FORMAT = Format(NETWORK, _write, INDEX)
