"""Which stretches of the network run on whole tensors and which stream, and in how large steps.

The arena is as large as its most demanding segment, the cycles are the sum of all: choosing is a search for the path
from the first cut to the last. Between two segments the tensor that lives on may be moved within the arena, so they
depend on each other in nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcubuild.engine.chain import Chain
from mcubuild.engine.flow import STEPS
from mcubuild.engine.pieces import Piece

_LEAST = 1024
"""Bytes with which the search for the smallest arena begins."""


@dataclass(frozen=True)
class Segment:
    """Pieces from ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int
    step: int
    """Rows that a call writes at most; 0 for a single piece on whole tensors."""
    height: int
    """Bytes of the arena."""
    cycles: int


def whole(pieces: Sequence[Piece], index: int) -> Segment:
    """Piece ``index`` on whole tensors."""
    return Segment(index, index + 1, 0, pieces[index].height, pieces[index].cycles)


def chained(pieces: Sequence[Piece], start: int, stop: int, step: int) -> Segment:
    """Pieces ``start`` to ``stop`` (exclusive), all of which can stream, as a chain."""
    chain = Chain((step,), [flow for piece in pieces[start:stop] if (flow := piece.flow)])
    return Segment(start, stop, step, chain.height(step), chain.cycles(step))


def choose_segments(pieces: Sequence[Piece], limit: int | None) -> list[Segment]:
    """The fastest way to run the pieces in ``limit`` bytes (None: any number), or in as few as possible."""
    if limit is None or all(piece.height <= limit for piece in pieces):
        return [whole(pieces, index) for index in range(len(pieces))]
    search = _Search(pieces, limit)
    return search.fastest(limit) or search.fastest(search.least())


def can_fit(pieces: Sequence[Piece], limit: int) -> bool:
    """Whether ``choose_segments`` finds a way to run the pieces in ``limit`` bytes."""
    if all(piece.height <= limit for piece in pieces):
        return True
    search = _Search(pieces, limit)
    # The smallest steps fit nearly wherever any do.
    return search.reaches_end(STEPS[-1:]) or search.reaches_end(STEPS[:-1])


class _Search:
    """For the paths from cut to cut."""

    def __init__(self, pieces: Sequence[Piece], limit: int) -> None:
        self._pieces, self._limit = pieces, limit
        self._misfits = [index for index, piece in enumerate(pieces) if piece.height > limit]

    def _ways(self, start: int, bound: int) -> Iterator[Segment]:
        """The segments from ``start`` on that take at most ``bound`` bytes and can be of use.

        Of no use are chains of pieces that all fit the limit, as streaming costs calls, and for the same reason chains
        that are longer than it takes to use the largest steps.
        """
        pieces = self._pieces
        if pieces[start].height <= bound:
            yield whole(pieces, start)
        misfits = [index for index in self._misfits if index >= start]
        if not misfits:
            return
        chain, largest = Chain(STEPS), STEPS[0]
        on_whole_tensors, best = 0, None
        for stop in range(start + 1, len(pieces) + 1):
            flow = pieces[stop - 1].flow
            if not chain.takes(flow):
                return
            chain.append(flow)
            on_whole_tensors += pieces[stop - 1].cycles
            if chain.at_least > bound:
                return
            if stop <= misfits[0]:
                continue
            for step in STEPS:
                if chain.fits(step, bound):
                    yield Segment(start, stop, step, chain.height(step), chain.cycles(step))
                    if step == largest and stop > misfits[-1]:
                        extra = chain.cycles(step) - on_whole_tensors
                        best = extra if best is None else min(best, extra)
            # Growing on, a chain can save but the move of the tensor that it ends with.
            if best is not None and chain.inner_cycles(largest) - on_whole_tensors >= best:
                return

    def reaches_end(self, steps: Sequence[int]) -> bool:
        """Whether whole pieces and chains of these steps fit the limit from the first cut to the last."""
        pieces, limit = self._pieces, self._limit
        reached = [True, *[False] * len(pieces)]
        for start in range(self._misfits[-1] + 1):
            if not reached[start]:
                continue
            reached[start + 1] |= pieces[start].height <= limit
            chain = Chain(steps)
            for stop in range(start + 1, len(pieces) + 1):
                flow = pieces[stop - 1].flow
                if not chain.takes(flow):
                    break
                chain.append(flow)
                if chain.at_least > limit:
                    break
                if stop > self._misfits[0] and not reached[stop]:
                    reached[stop] = any(chain.fits(step, limit) for step in steps)
                    if reached[stop] and stop > self._misfits[-1]:
                        return True  # what follows fits as it is
        return False

    def least(self) -> int:
        """The smallest arena, which is above the limit."""
        bound = max(self._limit, _LEAST)
        while (least := self._lowest(bound)) is None:
            bound = bound * 5 // 4
        return least

    def _lowest(self, bound: int) -> int | None:
        """The smallest arena, if it is at most ``bound`` bytes."""
        reach: list[int | None] = [0, *[None] * len(self._pieces)]
        for start in range(len(self._pieces)):
            height = reach[start]
            if height is not None:
                for segment in self._ways(start, bound):
                    needed, before = max(height, segment.height), reach[segment.stop]
                    reach[segment.stop] = needed if before is None else min(before, needed)
        return reach[-1]

    def fastest(self, bound: int) -> list[Segment]:
        """The path of the fewest cycles in ``bound`` bytes, of equal ones that of the fewest segments; empty: none."""
        best: list[tuple[int, int, Segment | None] | None] = [(0, 0, None), *[None] * len(self._pieces)]
        for start in range(len(self._pieces)):
            so_far = best[start]
            if so_far is not None:
                for segment in self._ways(start, bound):
                    found, before = (so_far[0] + segment.cycles, so_far[1] + 1, segment), best[segment.stop]
                    if before is None or found[:2] < before[:2]:
                        best[segment.stop] = found
        path: list[Segment] = []
        position = len(self._pieces)
        while position and (entry := best[position]) is not None:
            assert entry[2] is not None
            path.insert(0, entry[2])
            position = entry[2].start
        return path
