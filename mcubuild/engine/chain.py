"""A chain: neighbouring stretches of the network that stream through row buffers, from one whole tensor to another.

    |- buffers -|- last tensor ... -|
                      |- ... first tensor -|

The first tensor lies at the top of the arena. The last one is written below it and over those of its rows that no layer
reads any more: it trails by as many bytes as it ever gets ahead. Buffers and scratch lie at the bottom.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeGuard

import numpy as np

from mcubuild.engine.flow import MOVE_CYCLES, Flow
from mcubuild.engine.layer import align

Place: TypeAlias = tuple[int, int]
"""A tensor of a chain: number of the flow, and of the tensor within it; what two flows share is the later one's."""


class Chain:
    """Flows in a row, appended one by one, for several numbers of rows that a call may write at most."""

    def __init__(self, steps: Sequence[int], flows: Sequence[Flow] = ()) -> None:
        self.flows: list[Flow] = []
        self._buffers = dict.fromkeys(steps, 0)
        self._scratch = dict.fromkeys(steps, 0)
        self._cycles = dict.fromkeys(steps, 0)
        self._smallest = min(steps)
        self._oldest = np.zeros(0, np.int64)
        """The first row of the first tensor still read when 0, 1, ... rows of the last one have been written."""
        for flow in flows:
            self.append(flow)

    def append(self, flow: Flow) -> None:
        """Make the chain longer."""
        follows = bool(self.flows)
        passed_on = follows and self._exit_shared(len(self.flows) - 1, flow)
        for step in self._buffers:
            needs = flow.needs(step)
            self._buffers[step] += needs.inside_later if follows else needs.inside_first
            self._scratch[step] = max(self._scratch[step], needs.scratch)
            self._cycles[step] += needs.cycles
            if follows:
                self._buffers[step] += 0 if passed_on else needs.entry
                self._cycles[step] += needs.entry_cycles
        state = flow.progress
        self._oldest = self._oldest[state.written] if follows else np.minimum(state.oldest, state.read_last)
        self.flows.append(flow)
        self._first, self._last = self.flows[0].entry_bytes, flow.exit_bytes

    def takes(self, flow: Flow | None) -> TypeGuard[Flow]:
        """Whether ``flow`` may follow."""
        return flow is not None and (flow.joins or not self.flows)

    def _exit_shared(self, number: int, following: Flow) -> bool:
        """Whether rows of the last tensor of flow ``number`` lie in another one's buffer: not in the first tensor."""
        source = self.flows[number].exit_shared
        return following.passes_on and source is not None and (source > 0 or number > 0)

    def shared(self) -> Iterator[tuple[Place, Place]]:
        """Tensors without a row buffer of their own, and the one in whose buffer their rows lie."""
        for number, flow in enumerate(self.flows):
            for tensor, source in flow.shared.items():
                if source or number:
                    yield (number, tensor), (number, source)
            if number + 1 < len(self.flows) and self._exit_shared(number, self.flows[number + 1]):
                assert flow.exit_shared is not None
                yield (number + 1, 0), (number, flow.exit_shared)

    def buffers(self, step: int) -> dict[Place, int]:
        """Bytes of the row buffers."""
        sizes: dict[Place, int] = {}
        for number, flow in enumerate(self.flows):
            needs = flow.needs(step)
            if number:
                sizes[number, 0] = needs.entry
            sizes |= {(number, tensor): size for tensor, size in enumerate(needs.inside, 1)}
        for place, _ in self.shared():
            del sizes[place]
        return sizes

    def name(self, place: Place) -> str:
        """The tensor's name in the network."""
        return self.flows[place[0]].names[place[1]]

    def working(self, step: int) -> int:
        """Bytes besides the first and the last tensor: row buffers, and scratch that all kernels share."""
        return self._buffers[step] + self._scratch[step]

    def lead(self, step: int) -> int:
        """Bytes by which the last tensor must begin before the first, where both overlap."""
        first, last = self.flows[0], self.flows[-1]
        if not first.overlaps:
            return self._last
        ends = last.ends(step)
        oldest = self._oldest[ends]
        if len(self.flows) == 1:
            # The call that writes these rows of the last tensor may read the first one as long as it runs.
            oldest = np.minimum(oldest, first.progress.read_last[ends - 1 - (ends - 1) % step])
        return align(max(0, int((ends * last.exit_row - oldest * first.entry_row).max())))

    def height(self, step: int) -> int:
        """Bytes of the arena."""
        return self.working(step) + max(self._first + min(self.lead(step), self._last), self._last)

    def fits(self, step: int, bound: int) -> bool:
        """Whether ``bound`` bytes are enough."""
        room = bound - self.working(step)
        if room < max(self._first, self._last):
            return False
        return room >= self._first + self._last or self.height(step) <= bound

    @property
    def at_least(self) -> int:
        """Bytes that this chain takes with the smallest steps, and every longer one."""
        return self.working(self._smallest) + self._first

    def cycles(self, step: int) -> int:
        """Estimated cycles, the move of the last tensor to an end of the arena included."""
        return self._cycles[step] + round(self._last * MOVE_CYCLES)

    def inner_cycles(self, step: int) -> int:
        """Estimated cycles without that move."""
        return self._cycles[step]
