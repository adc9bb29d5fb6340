"""How each operator of a .tflite file becomes operators of the graph: one module a family."""

from collections.abc import Mapping

from mcubuild.importers.operators import elementwise, functions, movement, weighted, windows
from mcubuild.importers.operators.converter import Converter

CONVERTERS: Mapping[str, Converter] = {
    **weighted.CONVERTERS,
    **elementwise.CONVERTERS,
    **functions.CONVERTERS,
    **windows.CONVERTERS,
    **movement.CONVERTERS,
}
"""By the schema's name."""
