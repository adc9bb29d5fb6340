"""A first approximation: every instruction one cycle, a load two, a taken branch three."""

from typing import Any

from mcubuild.board import Board
from mcubuild.measure.counter import Edge

_LOADS = ("ldr", "ldm", "pop", "vldr", "vldm", "vpop")


class FlatModel:
    """Cycles by instruction class, whatever stands around the instruction."""

    uncertainty = 0.5

    def __init__(self, board: Board):
        self.name = f"{board.core} flat estimate, zero-wait memory"

    def cycles(self, edge: Edge, instructions: tuple[Any, ...]) -> float:
        """Cycles of one pass over ``edge``."""
        loads = sum(bool(instruction.mnemonic.startswith(_LOADS)) for instruction in instructions)
        taken = edge.before.size > 0 and edge.before.end != edge.block.start
        return len(instructions) + loads + 2 * taken
