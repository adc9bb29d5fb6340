"""What code is generated for: the core, and what the engine may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcubuild.board import Board, CoreName
from mcubuild.spec.engine import EngineSettings


@dataclass(frozen=True, eq=False)
class Target:
    """Everything that the choice of kernels and the memory plan depend on besides the network.

    Each is equal to itself alone, so that layers remember what was chosen for it without comparing its fields.
    """

    core: CoreName
    dsp: bool
    """Whether the core has the DSP extension (SMLAD, SXTB16, ...)."""
    settings: EngineSettings
    arena: int | None = None
    """Bytes that the arena should not exceed: the fastest plan within them is taken, or the smallest one. None: any."""

    fpu: bool = True
    """Whether there are floating-point registers; they hold integers, too."""
    tuned: Mapping[str, str] = field(default_factory=dict)
    """Kernels that were measured to be the fastest, by their layer's output; others are chosen by their estimates."""

    @property
    def fed(self) -> bool:
        """Whether the input is pulled from outside, a few rows at a time."""
        return self.settings.input == "stream"

    def arena_besides(self, nbytes: int) -> int | None:
        """Bytes that the arena should not exceed besides ``nbytes`` of it that are taken."""
        return None if self.arena is None else max(self.arena - nbytes, 0)

    @property
    def assembly(self) -> bool:
        """Whether inner loops may be assembly, which is fused, unrolled and tiled."""
        on = self.settings
        return self.dsp and on.assembly and on.fusion and on.unrolling and on.tiling

    @classmethod
    def of(cls, board: Board, settings: EngineSettings, arena: int | None = None) -> "Target":
        """The target that ``board`` is, with ``arena`` bytes for the arena if the settings ask for the fastest plan."""
        return cls(board.core, board.dsp, settings, 0 if settings.plan == "smallest" else arena, board.fpu != "none")
