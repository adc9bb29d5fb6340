"""Which cycle model a core has."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mcubuild.board import CoreName
from mcubuild.cores.core import core_of
from mcubuild.measure.cycles.pipeline import CycleModel


def cycle_model(core: CoreName) -> CycleModel | None:
    """The model of ``core``; None where there is none, as of the Cortex-M33: Arm publishes no timing of it."""
    name = core_of(core).cycle_model
    if name is None:
        return None
    (module,) = [one.name for one in iter_modules([str(Path(__file__).parent)]) if one.name == name]
    found: CycleModel = import_module(f"mcubuild.measure.cycles.{module}").MODEL
    return found
