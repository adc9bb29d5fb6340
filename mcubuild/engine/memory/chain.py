"""A chain: neighbouring stretches of the network that stream through row buffers, from one whole tensor to another.

    |- buffers -|- last tensor ... -|
                      |- ... first tensor -|

The first tensor lies at the top of the arena. The last one is written below it and over those of its rows that no layer
reads any more: it trails by as many bytes as it ever gets ahead. Buffers and scratch lie at the bottom.

A chain may be fed: rows of its first tensor are pulled from outside, and that has a row buffer like any other.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from mcubuild.engine.layer import align
from mcubuild.engine.memory.flow import MOVE_CYCLES, Flow

Place: TypeAlias = tuple[int, int]
"""A tensor of a chain: number of the flow, and of the tensor within it; what two flows share is the later one's."""


class Chain:
    """Flows in a row whose calls write at most ``step`` rows; ``then`` makes a longer one of it."""

    __slots__ = ("_buffers", "_first", "_last", "_oldest", "_scratch", "fed", "flows", "inner_cycles", "step")

    def __init__(self, step: int, flow: Flow, before: "Chain | None" = None, *, fed: bool = False) -> None:
        """A chain that ends with ``flow``, behind ``before`` if that is given; ``fed`` if it begins here and is."""
        needs, state = flow.needs(step), flow.progress
        self.step, self._last = step, flow.exit_bytes
        if before is None:
            self.flows: tuple[Flow, ...] = (flow,)
            self.fed = fed
            """Whether rows of the first tensor are pulled from outside."""
            self._first = 0 if fed else flow.entry_bytes
            self._buffers = needs.inside_later + needs.entry if fed else needs.inside_first
            self._scratch = needs.scratch
            self.inner_cycles = needs.cycles + (needs.entry_cycles if fed else 0)
            """Estimated cycles without a move of the last tensor."""
            self._oldest = np.minimum(state.oldest, state.read_last)
            """The first row of the first tensor still read when 0, 1, ... rows of the last one have been written."""
        else:
            self.flows = (*before.flows, flow)
            self.fed, self._first = before.fed, before._first
            passed_on = before._exit_shared(len(before.flows) - 1, flow)
            self._buffers = before._buffers + needs.inside_later + (0 if passed_on else needs.entry)
            self._scratch = max(before._scratch, needs.scratch)
            self.inner_cycles = before.inner_cycles + needs.cycles + needs.entry_cycles
            self._oldest = before._oldest[state.written]

    @classmethod
    def of(cls, step: int, flows: Iterable[Flow], *, fed: bool = False) -> "Chain":
        """The chain of at least one flow."""
        first, *others = flows
        chain = cls(step, first, fed=fed)
        for flow in others:
            chain = chain.then(flow)
        return chain

    def then(self, flow: Flow) -> "Chain":
        """The chain that is longer by ``flow``."""
        return Chain(self.step, flow, self)

    def _exit_shared(self, number: int, following: Flow) -> bool:
        """Whether rows of the last tensor of flow ``number`` lie in another one's buffer."""
        source = self.flows[number].exit_shared
        return following.passes_on and source is not None and self._buffered(number, source)

    def _buffered(self, number: int, tensor: int) -> bool:
        """Whether a tensor of flow ``number`` has a row buffer: the first one of a chain only where that is fed."""
        return self.fed or number > 0 or tensor > 0

    def shared(self) -> Iterator[tuple[Place, Place]]:
        """Tensors without a row buffer of their own, and the one in whose buffer their rows lie."""
        for number, flow in enumerate(self.flows):
            for tensor, source in flow.shared.items():
                if self._buffered(number, source):
                    yield (number, tensor), (number, source)
            if number + 1 < len(self.flows) and self._exit_shared(number, self.flows[number + 1]):
                assert flow.exit_shared is not None
                yield (number + 1, 0), (number, flow.exit_shared)

    def buffers(self) -> dict[Place, int]:
        """Bytes of the row buffers."""
        sizes: dict[Place, int] = {}
        for number, flow in enumerate(self.flows):
            needs = flow.needs(self.step)
            if self._buffered(number, 0):
                sizes[number, 0] = needs.entry
            sizes |= {(number, tensor): size for tensor, size in enumerate(needs.inside, 1)}
        for place, _ in self.shared():
            del sizes[place]
        return sizes

    def name(self, place: Place) -> str:
        """The tensor's name in the network."""
        return self.flows[place[0]].names[place[1]]

    @property
    def working(self) -> int:
        """Bytes besides the last tensor and a first one that is whole: row buffers, and scratch that kernels share."""
        return self._buffers + self._scratch

    @property
    def lead(self) -> int:
        """Bytes by which the last tensor must begin before the first, where both overlap; the chain is not fed."""
        first, last = self.flows[0], self.flows[-1]
        if not first.overlaps:
            return self._last
        ends = last.ends(self.step)
        oldest = self._oldest[ends]
        if len(self.flows) == 1:
            # The call that writes these rows of the last tensor may read the first one as long as it runs.
            oldest = np.minimum(oldest, first.progress.read_last[ends - 1 - (ends - 1) % self.step])
        return align(max(0, int((ends * last.exit_row - oldest * first.entry_row).max())))

    @property
    def height(self) -> int:
        """Bytes of the arena."""
        if self.fed:
            return self.working + self._last
        return self.working + max(self._first + min(self.lead, self._last), self._last)

    def may_fit(self, bound: int) -> bool:
        """Whether ``bound`` bytes may be enough, if not with this step, then with a larger one; ``height`` knows."""
        return self.working + max(self._first, self._last) <= bound

    @property
    def at_least(self) -> int:
        """Bytes that this chain takes, and every longer one."""
        return self._buffers + self._scratch + self._first

    @property
    def cycles(self) -> int:
        """Estimated cycles, the move of the last tensor to an end of the arena included."""
        return self.inner_cycles + round(self._last * MOVE_CYCLES)
