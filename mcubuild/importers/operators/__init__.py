"""How each operator of a .tflite file becomes operators of the graph: one module a family."""

from collections.abc import Callable, Mapping

from mcubuild.importers.builder import Node
from mcubuild.importers.operators import elementwise, functions, movement, weighted, windows

CONVERTERS: Mapping[str, Callable[[Node], None]] = {
    **weighted.CONVERTERS,
    **elementwise.CONVERTERS,
    **functions.CONVERTERS,
    **windows.CONVERTERS,
    **movement.CONVERTERS,
}
"""By the schema's name. A converter raises UnsupportedError or ValueError with what it found; the caller adds where."""
