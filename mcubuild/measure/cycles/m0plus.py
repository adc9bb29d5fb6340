"""Cortex-M0+: two stages, fixed cycles an instruction.

Source: Arm, Cortex-M0+ Technical Reference Manual, DDI 0484C, table 3.1; with the multiplier that takes one cycle.
"""

from mcubuild.measure.cycles.pipeline import CycleModel
from mcubuild.measure.instruction import Instruction, Kind

_LOAD_STORE = 2
_MANY = 1  # 1 + N
_POP_PC = 3  # 3 + N
_TAKEN = 1  # B: 1, taken 2; BX and BLX: 2
_LINK = 1  # BL: 3
_SYSTEM = 3


class CortexM0Plus:
    """The pipeline of a Cortex-M0+."""

    def __init__(self) -> None:
        self._time = 0.0

    @property
    def time(self) -> float:
        """Cycles used so far."""
        return self._time

    def issue(self, instruction: Instruction) -> None:
        """Execute the next instruction."""
        kind = instruction.kind
        if kind in (Kind.LOAD, Kind.STORE):
            self._time += _LOAD_STORE
        elif kind in (Kind.LOAD_MANY, Kind.STORE_MANY):
            # table 3.1 counts the refill of POP {pc} in 3 + N; one cycle of it is added by redirect()
            self._time += instruction.registers + (_POP_PC - _TAKEN if instruction.writes_pc else _MANY)
        elif kind is Kind.SYSTEM:
            self._time += _SYSTEM
        else:
            self._time += 1 + (_LINK if instruction.operation == "bl" else 0)

    def redirect(self, target: Instruction) -> None:
        """Refill the pipeline."""
        self._time += _TAKEN

    def misprediction(self, block: tuple[Instruction, ...]) -> float:
        """No branch is predicted on this core."""
        return 0.0


MODEL = CycleModel("cortex-m0plus table", 0.1, lambda seen: CortexM0Plus(), 1, False)
