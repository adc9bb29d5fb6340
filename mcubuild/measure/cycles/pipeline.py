"""What every core's cycle model offers to the walk over executed code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mcubuild.measure.instruction import Instruction
from mcubuild.measure.profile import Accesses

Seen = Callable[[Instruction], Accesses | None]
"""What a load or store was seen to access; None where it was not watched."""


class Pipeline(Protocol):
    """The state of one core's pipeline, empty at first."""

    @property
    def time(self) -> float:
        """Cycles used by the instructions issued so far."""

    def issue(self, instruction: Instruction) -> None:
        """Execute the next instruction; a branch, as if it were not taken."""

    def redirect(self, target: Instruction) -> None:
        """The branch issued last was taken (and predicted, on a core that predicts): go on at ``target``."""

    def misprediction(self, block: tuple[Instruction, ...]) -> float:
        """Extra cycles where the branch that ends ``block`` was predicted wrongly."""


@dataclass(frozen=True)
class CycleModel:
    """The cycle model of one core: ``MODEL`` of its module."""

    name: str
    uncertainty: float
    """Relative error to expect against silicon."""
    pipeline: Callable[[Seen], Pipeline]
    """An empty pipeline."""
    history: int
    """How many instructions back it remembers."""
    sees_memories: bool
    """Whether its core cycles depend on which memory an instruction accesses."""
