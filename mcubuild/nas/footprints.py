"""What networks cost on the board: memory, Flash and cycles from the engine's own planner, remembered by block."""

from mcubuild.board import Board
from mcubuild.engine.footprint import Footprint, Segment, combine, estimate_segment
from mcubuild.engine.target import Target
from mcubuild.nas.arch import Arch
from mcubuild.nas.blocks import Block, blocks
from mcubuild.nas.skeleton import block_skeleton
from mcubuild.spec.engine import EngineSettings


class Footprints:
    """Footprints of networks. Blocks recur within a space and between spaces, so most are scheduled only once."""

    def __init__(self, board: Board, engine: EngineSettings, stack: int, bits: int) -> None:
        self.board = board
        self._target = Target.of(board, engine)
        self._stack = stack
        self._bits = bits
        self._segments: dict[Block, Segment] = {}

    def of(self, arch: Arch) -> Footprint:
        """The footprint of ``arch``: equal to that of its whole skeleton."""
        segments = [self._segment(block) for block in blocks(arch).values()]
        return combine(segments, self._stack)

    def latency(self, footprint: Footprint) -> float:
        """Seconds that the engine's cycle estimate takes at the board's clock."""
        return footprint.cycles / self.board.clock

    def _segment(self, block: Block) -> Segment:
        segment = self._segments.get(block)
        if segment is None:
            segment = estimate_segment(block_skeleton(block, self._bits), self._target)
            self._segments[block] = segment
        return segment
