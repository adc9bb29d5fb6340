"""The cores by name."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mcubuild.cores import names
from mcubuild.cores.core import Core


@cache
def cores() -> Mapping[str, Core]:
    """All cores, by name: ``CORE`` of each module."""
    modules = {one.name.replace("_", "-"): one.name for one in iter_modules([str(Path(__file__).parent)])}
    return {name: import_module(f"mcubuild.cores.{modules[name]}").CORE for name in names()}


def core_of(name: str) -> Core:
    """The core called ``name``."""
    return cores()[name]


@cache
def costs_of(name: str, kinds: tuple[str, ...]) -> tuple[Mapping[str, float], float]:
    """Cycles by feature of a kernel's work on the core ``name``, and what to multiply them by.

    Args:
        name: of the core.
        kinds: the kernel's, behind what it has in common with others.
    """
    core = core_of(name)
    fitted = core if core.like is None else core_of(core.like)
    return {feature: cost for kind in kinds for feature, cost in fitted.costs[kind].items()}, core.times
