"""A network from a file of any format as a quantised graph."""

from collections.abc import Callable
from pathlib import Path

from mcubuild.importers.aten import program_of
from mcubuild.importers.folding import folded
from mcubuild.importers.integers import Quantizer, computes_reals, integral
from mcubuild.importers.lowering import lowered
from mcubuild.importers.onnx_file import read_onnx
from mcubuild.importers.pt2_file import read_pt2
from mcubuild.importers.tflite import Imported, imported
from mcubuild.importers.tflite_file import File, read_file


def read_network(path: Path) -> File:
    """The network in ``path``, whose ending says the format.

    Raises:
        BuildError: the file is missing or damaged, or an operator is not supported.
    """
    if path.suffix.lower() == ".onnx":
        return lowered(read_onnx(path))
    if path.suffix.lower() == ".pt2":
        return lowered(program_of(read_pt2(path)))
    return folded(read_file(path))


def import_network(path: Path, quantizer: Callable[[File], Quantizer] | None = None) -> Imported:
    """The network in ``path``, rewritten for the engine.

    Args:
        path: of the file.
        quantizer: of a file, gives levels to real numbers of which it says none.

    Raises:
        BuildError: the file is missing or damaged, or holds something that no operator of the graph computes, or real
            numbers of levels that nothing tells.
    """
    file = read_network(path)
    if not computes_reals(file):
        return imported(file)
    return imported(integral(file, None if quantizer is None else quantizer(file)))
