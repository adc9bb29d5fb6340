"""What networks cost on the board: memory, Flash and cycles from the engine's own planner, remembered by block."""

from mcubuild.board import Board
from mcubuild.engine.footprint import Footprint, Stretch, arena_within, combine, estimate_stretch, fits
from mcubuild.engine.target import Target
from mcubuild.nas.arch import Arch
from mcubuild.nas.blocks import Block, blocks
from mcubuild.nas.skeleton import block_skeleton
from mcubuild.spec.engine import EngineSettings


class Footprints:
    """Footprints of networks. Blocks recur within a space and between spaces, so most are scheduled only once."""

    def __init__(self, board: Board, engine: EngineSettings, stack: int, bits: int, sram: int | None = None) -> None:
        """Footprints on ``board``.

        Args:
            board: where the networks run.
            engine: how the planner schedules.
            stack: bytes of RAM reserved for the stack.
            bits: of the weights.
            sram: bytes of RAM that a network may use, stack included; None: any.
        """
        self.board = board
        self.target = Target.of(board, engine, None if sram is None else arena_within(sram, stack))
        self._stack = stack
        self._bits = bits
        self._stretches: dict[Block, Stretch] = {}

    def of(self, arch: Arch) -> Footprint:
        """The footprint of ``arch``: equal to that of its whole skeleton."""
        return combine([self._stretch(block) for block in blocks(arch).values()], self.target, self._stack)

    def fits(self, arch: Arch, flash: int) -> bool:
        """Whether the footprint of ``arch`` keeps to the RAM and to ``flash`` bytes; much faster than to ask for it."""
        return fits([self._stretch(block) for block in blocks(arch).values()], self.target, flash)

    def latency(self, footprint: Footprint) -> float:
        """Seconds that the engine's cycle estimate takes at the board's clock."""
        return footprint.cycles / self.board.clock

    def _stretch(self, block: Block) -> Stretch:
        stretch = self._stretches.get(block)
        if stretch is None:
            stretch = estimate_stretch(block_skeleton(block, self._bits), self.target)
            self._stretches[block] = stretch
        return stretch
