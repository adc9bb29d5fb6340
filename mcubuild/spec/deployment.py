"""What a network is built for, as one value: the board, what may be used of it, and how code is made for it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcubuild.board import Board
from mcubuild.spec.bits import Width
from mcubuild.spec.budget import Budget
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings

if TYPE_CHECKING:
    from mcubuild.spec.spec import Spec


@dataclass(frozen=True)
class Deployment:
    """Everything besides the network that memory, time and the C depend on."""

    board: Board
    engine: EngineSettings = field(default_factory=EngineSettings)
    firmware: FirmwareSettings = field(default_factory=FirmwareSettings)
    """Compiler, flags, stack and the prefix of names."""
    bits: Width = 8
    """Of the weights of networks that are searched for."""
    activations: int = 8
    """Bits of their activations, 8 or 4."""
    ends: int | None = None
    """Bits of the weights of their first and last layer, where those are others than ``bits``."""
    budget: Budget = field(default_factory=Budget)
    """As ``read_spec`` resolved it, if it is a spec's."""

    @classmethod
    def of(cls, spec: "Spec", board: Board) -> "Deployment":
        """That of a spec."""
        bits = spec.bits
        return cls(board, spec.engine, spec.firmware, bits.weights, bits.activations, bits.ends, spec.budget)

    @property
    def sram(self) -> int:
        """Bytes of RAM that the firmware may use, its stack included."""
        return self.budget.sram or self.board.sram_bytes

    @property
    def flash(self) -> int:
        """Bytes of Flash that it may use."""
        return self.budget.flash or self.board.flash_bytes

    @property
    def stack(self) -> int:
        """Bytes of RAM that are reserved for the stack."""
        return self.firmware.stack
