"""The operators of the graph: one module a family, which lists them as ``OPERATORS``.

A family says all that is true of an operator whatever computes it: its fields, its shapes, how its rows depend on each
other, the integers that it computes with, and its reference arithmetic.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from mcubuild.ir.graph import Op


@cache
def operators() -> Mapping[str, type[Op]]:
    """Every kind of operator by name."""
    names = (module.name for module in iter_modules(__path__) if module.name != "base")
    return {kind.__name__: kind for name in names for kind in import_module(f"{__name__}.{name}").OPERATORS}
