"""What networks cost on the board: memory, Flash and cycles from the engine's own planner, remembered by block."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from mcubuild.board import Board, Core
from mcubuild.engine.footprint import Footprint, Stretch, arena_within, combine, estimate_stretch, fits
from mcubuild.engine.target import Target
from mcubuild.nas.arch import Arch, Choice, Space
from mcubuild.nas.blocks import Block, Described
from mcubuild.nas.skeleton import block_skeleton
from mcubuild.spec.engine import EngineSettings

TOO_LOW: Final[Mapping[Core, float]] = {"cortex-m4": 0.03, "cortex-m7": 0.04}
"""By how much the emulated cycles of a network exceeded the estimate at worst: of 50 random networks on each core
(``engine/estimates.jsonl``)."""
_UNMEASURED = 0.1
"""The same for other cores: a guess."""

_Place: TypeAlias = tuple[int, bool, Choice | None]
"""Where a block stands, as far as its shape depends on it, and its choice: stage, whether others precede it there."""


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
        self.sram = sram
        self._arena = None if sram is None else arena_within(sram, stack)
        self.target = Target.of(board, engine, self._arena)
        self._stack = stack
        self._bits = bits
        self._stretches: dict[Block, Stretch] = {}
        self._known: dict[Space, dict[_Place, Stretch]] = {}

    def within(self, sram: int) -> "Footprints":
        """The same for networks that may use ``sram`` bytes of RAM; both know the same blocks."""
        other = Footprints(self.board, self.target.settings, self._stack, self._bits, sram)
        other._stretches, other._known = self._stretches, self._known
        return other

    def of(self, arch: Described) -> Footprint:
        """The footprint of ``arch``: equal to that of its whole skeleton."""
        return combine(self._row(arch), self.target, self._stack)

    def fits(self, arch: Described, flash: int, latency: float | None = None) -> bool:
        """Whether ``arch`` is within the RAM, ``flash`` bytes and, at the ``longest``, ``latency`` seconds.

        Much faster than ``of``.
        """
        cycles = None if latency is None else int(latency * self.board.runs_at / (1 + self._too_low))
        return fits(self._row(arch), self.target, self._arena, flash, cycles)

    def macs(self, arch: Described) -> int:
        """Multiply-accumulates of one inference."""
        return sum(stretch.macs for stretch in self._row(arch))

    def latency(self, footprint: Footprint) -> float:
        """Seconds that the engine's cycle estimate takes at the board's clock."""
        return footprint.cycles / self.board.runs_at

    def longest(self, footprint: Footprint) -> float:
        """Seconds that it may take, as estimates can be too low: what limits are held against."""
        return self.latency(footprint) * (1 + self._too_low)

    @property
    def _too_low(self) -> float:
        return TOO_LOW.get(self.board.core, _UNMEASURED)

    def _row(self, arch: Described) -> list[Stretch]:
        """The stretches of a network; those at places where another network of its space had the same choice are known.

        That is what makes a network fast to judge: to describe its blocks takes longer than to find that they fit.
        """
        if not isinstance(arch, Arch):
            return [self._stretch(block) for block in arch.blocks().values()]
        known = self._known.setdefault(arch.space, {})
        places: list[_Place] = [(-2, False, None), (-1, False, None)]
        for stage, choices in enumerate(arch.stages):
            places += [(stage, index > 0, choice) for index, choice in enumerate(choices)]
        places.append((len(arch.stages), False, None))
        if not all(place in known for place in places):
            known |= zip(places, map(self._stretch, arch.blocks().values()), strict=True)
        return [known[place] for place in places]

    def _stretch(self, block: Block) -> Stretch:
        stretch = self._stretches.get(block)
        if stretch is None:
            stretch = estimate_stretch(block_skeleton(block, self._bits), self.target)
            self._stretches[block] = stretch
        return stretch
