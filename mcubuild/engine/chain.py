"""A chain: neighbouring stretches of the network that stream through row buffers, from one whole tensor to another.

    |- buffers -|- last tensor ... -|
                      |- ... first tensor -|

The first tensor lies at the top of the arena. The last one is written below it and over those of its rows that no layer
reads any more: it trails by as many bytes as it ever gets ahead. Buffers and scratch lie at the bottom.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mcubuild.engine.flow import Flow, row_bytes
from mcubuild.engine.layer import align


class Chain:
    """``flows`` in a row, with calls that write at most ``step`` rows."""

    def __init__(self, flows: Sequence[Flow], step: int) -> None:
        self.flows, self.step = flows, step

    def shared(self) -> Iterator[tuple[str, str]]:
        """Tensors without a row buffer of their own, and the one in whose buffer their rows lie."""
        for number, flow in enumerate(self.flows):
            for tensor, source in flow.shared.items():
                if source or number:
                    yield flow.names[tensor], flow.names[source]
            source_of_exit = flow.exit_shared
            follows = number + 1 < len(self.flows) and self.flows[number + 1].passes_on
            if follows and source_of_exit is not None and (source_of_exit or number):
                yield flow.names[-1], flow.names[source_of_exit]

    def buffers(self) -> dict[str, int]:
        """Bytes of the row buffers, by tensor."""
        sizes: dict[str, int] = {}
        for number, flow in enumerate(self.flows):
            needs = flow.needs(self.step)
            if number:
                sizes[flow.names[0]] = needs.entry
            sizes |= needs.inside
        for name, _ in self.shared():
            del sizes[name]
        return sizes

    @property
    def scratch(self) -> int:
        """Bytes of working memory that all kernels share."""
        return max(flow.needs(self.step).scratch for flow in self.flows)

    @property
    def working(self) -> int:
        """Bytes besides the first and the last tensor."""
        return sum(self.buffers().values()) + self.scratch

    @property
    def lead(self) -> int:
        """Bytes by which the last tensor must begin before the first, where both overlap."""
        last = self.flows[-1].exit
        height = last.shape[1]
        ends = np.minimum(np.arange(self.step, height + self.step, self.step), height)
        before = np.arange(0, height, self.step)
        rows = ends
        for flow in reversed(self.flows[1:]):
            rows = flow.progress.written[rows]
        state = self.flows[0].progress
        # The call that writes these rows of the last tensor reads as long as it runs.
        oldest = np.minimum(state.oldest[rows], state.read_last[before if len(self.flows) == 1 else rows])
        return align(max(0, int((ends * row_bytes(last) - oldest * row_bytes(self.flows[0].entry)).max())))

    @property
    def span(self) -> int:
        """Bytes that the first and the last tensor take together."""
        first, last = align(self.flows[0].entry.nbytes), align(self.flows[-1].exit.nbytes)
        return max(first + min(self.lead, last), last)

    @property
    def height(self) -> int:
        """Bytes of the arena."""
        return self.working + self.span

    @property
    def cycles(self) -> int:
        """Estimated cycles, the move of the last tensor to an end of the arena included."""
        needs = [flow.needs(self.step) for flow in self.flows]
        inside = sum(need.cycles for need in needs) + sum(need.entry_cycles for need in needs[1:])
        return inside + self.flows[-1].exit.nbytes
