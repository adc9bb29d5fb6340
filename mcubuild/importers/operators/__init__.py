"""How each operator of a .tflite file becomes operators of the graph: one module a family, with ``CONVERTERS``."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from mcubuild.importers.operators.converter import Converter

CONVERTERS: Mapping[str, Converter] = {
    kind: converter
    for module in iter_modules(__path__)
    for kind, converter in getattr(import_module(f"{__name__}.{module.name}"), "CONVERTERS", {}).items()
}
"""By the schema's name."""
