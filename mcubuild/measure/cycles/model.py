"""Which cycle model a core has, and how far to trust it."""

from collections.abc import Callable
from dataclasses import dataclass

from mcubuild.board import Core
from mcubuild.measure.cycles.m0plus import CortexM0Plus
from mcubuild.measure.cycles.m4 import M3_CYCLES, CortexM4
from mcubuild.measure.cycles.m7 import CortexM7
from mcubuild.measure.cycles.pipeline import Pipeline, Seen


@dataclass(frozen=True)
class CycleModel:
    """The cycle model of one core."""

    name: str
    uncertainty: float
    """Relative error to expect against silicon."""
    pipeline: Callable[[Seen], Pipeline]
    """An empty pipeline."""
    history: int
    """How many instructions back it remembers."""
    sees_memories: bool
    """Whether its core cycles depend on which memory an instruction accesses."""


_MODELS: dict[Core, CycleModel] = {
    "cortex-m0plus": CycleModel("cortex-m0plus table", 0.1, lambda seen: CortexM0Plus(), 1, False),
    "cortex-m3": CycleModel("cortex-m3 pipeline", 0.15, lambda seen: CortexM4(seen, M3_CYCLES), 1, True),
    "cortex-m4": CycleModel("cortex-m4 pipeline", 0.1, CortexM4, 1, True),
    "cortex-m7": CycleModel("cortex-m7 pipeline", 0.2, CortexM7, 12, False),
}


def cycle_model(core: Core) -> CycleModel | None:
    """The model of ``core``; None for the Cortex-M33: Arm publishes no timing of it."""
    return _MODELS.get(core)
