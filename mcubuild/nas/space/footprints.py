"""What networks cost on the board: memory, Flash and cycles from the engine's own planner, remembered by block."""

from dataclasses import replace

from mcubuild.engine.memory.footprint import (
    Footprint,
    Stretch,
    arena_within,
    combine,
    estimate_stretch,
    fits,
    target_of,
)
from mcubuild.nas.space.arch import Arch, Place, Space
from mcubuild.nas.space.blocks import Block, Cells, Described
from mcubuild.nas.space.margin import NO_MARGIN, Margin
from mcubuild.nas.space.skeleton import block_skeleton
from mcubuild.spec.deployment import Deployment

DECODER = 4096
"""Bytes of Flash at most for what turns a detector's output into boxes: code, and tables of the output's 256 levels."""


class Footprints:
    """Footprints of networks. Blocks recur within a space and between spaces, so most are scheduled only once."""

    def __init__(self, deployment: Deployment, margin: Margin = NO_MARGIN) -> None:
        """Footprints of networks for ``deployment``; ``margin``: how cycles relate to the engine's estimates."""
        self.deployment = deployment
        self.target = target_of(deployment)
        self._margin = margin
        self._arena = arena_within(deployment.sram, deployment.stack)
        self._stretches: dict[Block, Stretch] = {}
        self._known: dict[Space, dict[Place, Stretch]] = {}

    def within(self, sram: int) -> "Footprints":
        """The same for networks that may use ``sram`` bytes of RAM; both know the same blocks."""
        budget = self.deployment.budget.model_copy(update={"sram": sram})
        other = Footprints(replace(self.deployment, budget=budget), self._margin)
        other._stretches, other._known = self._stretches, self._known
        return other

    def of(self, arch: Described) -> Footprint:
        """The footprint of ``arch``: equal to that of its whole skeleton, but for the cycles' scale."""
        footprint = combine(self._row(arch), self.target, self.deployment.stack)
        return replace(footprint, cycles=round(self._scale(arch) * footprint.cycles))

    def fits(self, arch: Described, flash: int, latency: float | None = None) -> bool:
        """Whether ``arch`` is within the RAM, ``flash`` bytes and, at the ``longest``, ``latency`` seconds.

        Much faster than ``of``.
        """
        cycles = None
        if latency is not None:
            cycles = int(latency * self.deployment.board.runs_at / (1 + self._margin.too_low) / self._scale(arch))
        return fits(self._row(arch), self.target, self._arena, flash, cycles)

    def macs(self, arch: Described) -> int:
        """Multiply-accumulates of one inference."""
        return sum(stretch.macs for stretch in self._row(arch))

    def latency(self, footprint: Footprint) -> float:
        """Seconds that the estimated cycles take at the clock that the firmware runs at."""
        return footprint.cycles / self.deployment.board.runs_at

    def longest(self, footprint: Footprint) -> float:
        """Seconds that it may take, as estimates can be too low: what limits are held against."""
        return self.latency(footprint) * (1 + self._margin.too_low)

    def _scale(self, arch: Described) -> float:
        return self._margin.of(arch.space.block) if isinstance(arch, Arch) else self._margin.scale

    def _row(self, arch: Described) -> list[Stretch]:
        """The stretches of a network; those at places where another network of its space had the same choice are known.

        That is what makes a network fast to judge: to describe its blocks takes longer than to find that they fit.
        """
        if not isinstance(arch, Arch):
            return [self._stretch(block) for block in arch.blocks().values()]
        known = self._known.setdefault(arch.space, {})
        places = arch.places()
        if not all(place in known for place in places):
            known |= zip(places, map(self._stretch, arch.blocks().values()), strict=True)
        return [known[place] for place in places]

    def _stretch(self, block: Block) -> Stretch:
        stretch = self._stretches.get(block)
        if stretch is None:
            stretch = estimate_stretch(block_skeleton(block, self.deployment.bits), self.target)
            if isinstance(block, Cells):
                stretch = replace(stretch, code=stretch.code + DECODER)
            self._stretches[block] = stretch
        return stretch
