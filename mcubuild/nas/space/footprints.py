"""What networks cost on the board: memory, Flash and cycles from the engine's own planner, remembered by block."""

from dataclasses import replace
from typing import TypeAlias

from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.engine.memory.footprint import (
    Footprint,
    Stretch,
    arena_within,
    combine,
    estimate_stretch,
    fits,
    most_flash,
    target_of,
)
from mcubuild.nas.space.arch import Arch, Place, Space
from mcubuild.nas.space.blocks import Block, Cells, Described
from mcubuild.nas.space.skeleton import block_skeleton
from mcubuild.spec.bits import WIDTHS
from mcubuild.spec.deployment import Deployment

Choice: TypeAlias = tuple[Stretch, ...]
"""A block with weights of each width that its layers may have, the widest first."""
DECODER = 4096
"""Bytes of Flash at most for what turns a detector's output into boxes: code, and tables of the output's 256 levels."""


class Footprints:
    """Footprints of networks. Blocks recur within a space and between spaces, so most are scheduled only once."""

    def __init__(self, deployment: Deployment, margin: Margin = NO_MARGIN) -> None:
        """Footprints of networks for ``deployment``; ``margin``: how cycles relate to the engine's estimates.

        With mixed bits, a network costs what it does with as many blocks of 8 bits as the Flash allows, narrowed in the
        order that saves the most bytes a cycle. Choosing layer by layer (``mcubuild.quant.widths``) can do no less.
        """
        self.deployment = deployment
        self.target = target_of(deployment)
        self._margin = margin
        self._arena = arena_within(deployment.sram, deployment.stack)
        self._widths = WIDTHS if deployment.bits == "mixed" else (deployment.bits,)
        self._stretches: dict[tuple[Block, bool], Choice] = {}
        self._known: dict[Space, dict[Place, Choice]] = {}

    def within(self, sram: int) -> "Footprints":
        """The same for networks that may use ``sram`` bytes of RAM; both know the same blocks."""
        budget = self.deployment.budget.model_copy(update={"sram": sram})
        other = Footprints(replace(self.deployment, budget=budget), self._margin)
        other._stretches, other._known = self._stretches, self._known
        return other

    def of(self, arch: Described) -> Footprint:
        """The footprint of ``arch``: equal to that of its whole skeleton, but for the cycles' scale."""
        footprint = combine(self._row(arch, self.deployment.flash), self.target, self.deployment.stack)
        return replace(footprint, cycles=round(self._scale(arch) * footprint.cycles))

    def fits(self, arch: Described, flash: int, latency: float | None = None) -> bool:
        """Whether ``arch`` is within the RAM, ``flash`` bytes and, at the ``longest``, ``latency`` seconds.

        Much faster than ``of``.
        """
        cycles = None if latency is None else self.most_cycles(arch, latency)
        return fits(self._row(arch, flash), self.target, self._arena, flash, cycles)

    def most_cycles(self, arch: Described, latency: float) -> int:
        """Cycles, as the engine estimates them, with which ``arch`` takes ``latency`` seconds at the longest."""
        return int(latency * self.deployment.board.runs_at / (1 + self._margin.too_low) / self._scale(arch))

    def macs(self, arch: Described) -> int:
        """Multiply-accumulates of one inference."""
        return sum(choice[0].macs for choice in self._choices(arch))

    def latency(self, footprint: Footprint) -> float:
        """Seconds that the estimated cycles take at the clock that the firmware runs at."""
        return footprint.cycles / self.deployment.board.runs_at

    def longest(self, footprint: Footprint) -> float:
        """Seconds that it may take, as estimates can be too low: what limits are held against."""
        return self.latency(footprint) * (1 + self._margin.too_low)

    def _scale(self, arch: Described) -> float:
        return self._margin.of(arch.space.block) if isinstance(arch, Arch) else self._margin.scale

    def _row(self, arch: Described, flash: int) -> list[Stretch]:
        """The stretches of a network, of which as many have the wider weights as ``flash`` allows."""
        choices = self._choices(arch)
        row = [choice[0] for choice in choices]
        if len(self._widths) == 1:
            return row
        beyond = most_flash(row, self.target) - flash
        if beyond <= 0:
            return row
        for place in sorted(range(len(row)), key=lambda place: _gain(*choices[place]), reverse=True):
            beyond -= _saved(*choices[place])
            row[place] = choices[place][1]
            if beyond <= 0:  # but for the inner loops, of which a mixture may need those of both widths
                beyond = most_flash(row, self.target) - flash
            if beyond <= 0:
                return row
        return row

    def _choices(self, arch: Described) -> list[Choice]:
        """The stretches of a network; those at places where another network of its space had the same choice are known.

        That is what makes a network fast to judge: to describe its blocks takes longer than to find that they fit.
        """
        if not isinstance(arch, Arch):
            return self._stretches_of(arch)
        known = self._known.setdefault(arch.space, {})
        places = arch.places()
        if not all(place in known for place in places):
            known |= zip(places, self._stretches_of(arch), strict=True)
        return [known[place] for place in places]

    def _stretches_of(self, arch: Described) -> list[Choice]:
        return [self._stretch(block, first=not place) for place, block in enumerate(arch.blocks().values())]

    def _stretch(self, block: Block, *, first: bool) -> Choice:
        choice = self._stretches.get((block, first))
        if choice is None:
            asked = self.deployment
            graphs = (block_skeleton(block, bits, asked.activations, asked.ends, first=first) for bits in self._widths)
            choice = tuple(estimate_stretch(graph, self.target) for graph in graphs)
            if isinstance(block, Cells):
                choice = tuple(replace(stretch, code=stretch.code + DECODER) for stretch in choice)
            self._stretches[block, first] = choice
        return choice


def _saved(wide: Stretch, narrow: Stretch) -> int:
    """Bytes that narrower weights save, besides inner loops that other blocks may still need."""
    return wide.weights + wide.code - narrow.weights - narrow.code


def _gain(wide: Stretch, narrow: Stretch) -> float:
    """The same for each cycle that they cost."""
    return _saved(wide, narrow) / max(narrow.whole_cycles - wide.whole_cycles, 1)
