"""What code is generated for: the core, and what the engine may do."""

from dataclasses import dataclass

from mcubuild.board import Board, Core
from mcubuild.spec.engine import EngineSettings


@dataclass(frozen=True)
class Target:
    """Everything that the choice of kernels and the memory plan depend on besides the network."""

    core: Core
    dsp: bool
    """Whether the core has the DSP extension (SMLAD, SXTB16, ...)."""
    settings: EngineSettings

    @classmethod
    def of(cls, board: Board, settings: EngineSettings) -> "Target":
        """The target that ``board`` is."""
        return cls(board.core, board.dsp, settings)
