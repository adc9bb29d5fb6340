"""Which layers have narrower weights: the least loss within Flash, RAM and time, exactly, as an integer programme.

A layer's loss, bytes and cycles add up; inner loops that layers share are in Flash if one of them is needed. What does
not add up is what the memory plan decides: each solution is planned as the firmware will be, and where it needs more
than the sum said, the sum's limit is lowered by as much and the programme solved again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import Footprint, estimate
from mcubuild.engine.target import Target
from mcubuild.ir.widths import weight_bits
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.skeleton import skeleton

_ATTEMPTS = 40
"""Solutions that are planned before it counts as impossible."""


@dataclass(frozen=True)
class Ceilings:
    """What the firmware may take at most."""

    sram: int
    """Bytes of RAM, stack included."""
    flash: int
    """Bytes of Flash."""
    cycles: float
    """Cycles as the engine estimates them; infinite: any number."""


@dataclass(frozen=True)
class _Cost:
    """A layer with weights of one width."""

    flash: int
    cycles: int
    routines: tuple[Routine, ...]


class Allocation:
    """The choice between two widths for each layer with weights of a network."""

    def __init__(
        self,
        arch: Described,
        target: Target,
        stack: int,
        widths: tuple[int, int],
        activations: int = 8,
        ends: int | None = None,
    ) -> None:
        """For the network ``arch`` with ``stack`` bytes of stack; the wider width comes first.

        ``ends``: bits of the first and the last layer, which are not chosen then.
        """
        self._arch, self._target, self._stack, self._widths = arch, target, stack, widths
        self._activations = activations
        first, *inner, last = weight_bits(skeleton(arch, widths[0]))
        self._given = {} if ends is None else {first: ends, last: ends}
        self.names = tuple(name for name in (first, *inner, last) if name not in self._given)
        """The layers with weights whose widths are chosen, in order."""

    def bits(self, narrow: Sequence[bool]) -> dict[str, int]:
        """Bits by layer, where those of ``narrow``, one for each of ``names``, have the narrower width."""
        chosen = {name: self._widths[one] for name, one in zip(self.names, narrow, strict=True)}
        return {**chosen, **self._given}

    def footprint(self, bits: Mapping[str, int]) -> Footprint:
        """What the network needs with these widths."""
        return estimate(skeleton(self._arch, bits, self._activations), self._target, self._stack)

    def ends(self) -> tuple[Footprint, Footprint]:
        """What it needs with the wider weights everywhere, and with the narrower ones."""
        wide, narrow = (self.footprint(self.bits([one] * len(self.names))) for one in (False, True))
        return wide, narrow

    def solve(self, losses: Mapping[str, float], ceilings: Ceilings) -> dict[str, int] | None:
        """Bits by layer of the least sum of ``losses``, which narrower layers have; None: nothing within ``ceilings``.

        Equal inputs give equal results.
        """
        tight, cuts = ceilings, list[NDArray[np.float64]]()
        for _ in range(_ATTEMPTS):
            narrow = self._solved([losses[name] for name in self.names], tight, cuts)
            if narrow is None:
                return None
            bits = self.bits(narrow)
            needs = self.footprint(bits)
            if needs.sram > ceilings.sram:  # whatever is wide here cannot all be wide
                cuts.append(np.array([0.0 if one else 1.0 for one in narrow]))
                if all(narrow):
                    return None
            if needs.flash > ceilings.flash:
                tight = replace(tight, flash=tight.flash - (needs.flash - ceilings.flash))
            if needs.cycles > ceilings.cycles:
                tight = replace(tight, cycles=tight.cycles - (needs.cycles - ceilings.cycles))
            if needs.sram <= ceilings.sram and needs.flash <= ceilings.flash and needs.cycles <= ceilings.cycles:
                return bits
        return None

    @cached_property
    def _costs(self) -> list[tuple[_Cost, _Cost]]:
        """Of each layer, the wider width first."""
        by_width = []
        for width in self._widths:
            graph = skeleton(self._arch, width, self._activations)
            row = []
            for layer in layers(graph):
                if layer.op.output in self.names:
                    kernel = choose(layer, self._target)
                    flash = kernel.constant_bytes(layer) + kernel.code_bytes(layer)
                    row.append(_Cost(flash, kernel.cycles(layer, self._target.core), kernel.routines(layer)))
            by_width.append(row)
        return [*zip(*by_width, strict=True)]

    @cached_property
    def _rest(self) -> tuple[int, int]:
        """Bytes of Flash and cycles besides those of the layers, as planned with the wider weights."""
        wide = self.ends()[0]
        routines = {routine for cost, _ in self._costs for routine in cost.routines}
        flash = sum(cost.flash for cost, _ in self._costs) + sum(routine.code_bytes for routine in routines)
        return wide.flash - flash, wide.cycles - sum(cost.cycles for cost, _ in self._costs)

    def _solved(
        self, losses: Sequence[float], ceilings: Ceilings, cuts: Sequence[NDArray[np.float64]]
    ) -> list[bool] | None:
        """Which layers are narrow, of the integer programme: a variable a layer, then one a shared inner loop."""
        costs, count = self._costs, len(self.names)
        shared = sorted({one for pair in costs for cost in pair for one in cost.routines}, key=lambda one: one.name)
        flash, cycles = self._rest
        flash, cycles = (
            flash + sum(wide.flash for wide, _ in costs),
            cycles + sum(wide.cycles for wide, _ in costs),
        )
        code = [float(routine.code_bytes) for routine in shared]
        more_flash = np.array([float(narrow.flash - wide.flash) for wide, narrow in costs] + code)
        more_cycles = np.array([float(narrow.cycles - wide.cycles) for wide, narrow in costs] + [0.0] * len(shared))
        limits = [
            LinearConstraint(more_flash[None], ub=ceilings.flash - flash),
            LinearConstraint(more_cycles[None], ub=ceilings.cycles - cycles),
            *(LinearConstraint(np.pad(cut, (0, len(shared)))[None], lb=1.0) for cut in cuts),
        ]
        for number, routine in enumerate(shared):  # a loop is there if a layer that is as wide as it serves needs it
            for place, (wide, narrow) in enumerate(costs):
                if routine in wide.routines or routine in narrow.routines:
                    row = np.zeros(count + len(shared))
                    row[count + number] = 1.0
                    needs = float(routine in wide.routines)
                    row[place] = needs - float(routine in narrow.routines)
                    limits.append(LinearConstraint(row[None], lb=needs))
        goal = np.array([*losses, *[0.0] * len(shared)])
        found = milp(goal, integrality=np.ones_like(goal), bounds=Bounds(0, 1), constraints=limits)
        return None if found.x is None else [bool(one > 0.5) for one in found.x[:count]]
