"""Which stretches of the network run on whole tensors and which stream, and in how large steps.

The arena is as large as its most demanding segment, the cycles are the sum of all: choosing is a search for the path
from the first cut to the last. Between two segments the tensor that lives on may be moved within the arena, so they
depend on each other in nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcubuild.engine.chain import Chain
from mcubuild.engine.flow import STEPS
from mcubuild.engine.pieces import Piece

_LEAST = 1024
"""Bytes with which the search for the smallest arena begins."""


class Segment(NamedTuple):
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
    chain = Chain.of(step, [flow for piece in pieces[start:stop] if (flow := piece.flow)])
    return Segment(start, stop, step, chain.height, chain.cycles)


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
    return _Search(pieces, limit).reaches_end()


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
        chains: list[Chain] = []
        on_whole_tensors, best = 0, None
        for stop in range(start + 1, len(pieces) + 1):
            flow = pieces[stop - 1].flow
            if flow is None:
                return
            longer = (chain.then(flow) for chain in chains) if chains else (Chain(step, flow) for step in STEPS)
            chains = [chain for chain in longer if chain.at_least <= bound]
            if not chains:
                return
            on_whole_tensors += pieces[stop - 1].cycles
            if stop <= misfits[0]:
                continue
            for chain in chains:
                if chain.may_fit(bound) and (height := chain.height) <= bound:
                    yield Segment(start, stop, chain.step, height, chain.cycles)
                    if chain.step == STEPS[0] and stop > misfits[-1]:
                        extra = chain.cycles - on_whole_tensors
                        best = extra if best is None else min(best, extra)
            # Growing on, a chain can save but the move of the tensor that it ends with.
            if best is not None and chains[0].inner_cycles - on_whole_tensors >= best:
                return

    def reaches_end(self) -> bool:
        """Whether whole pieces and chains fit the limit from the first cut to the last."""
        return self._goes_on(0, set())

    def _goes_on(self, start: int, tried: set[int]) -> bool:
        """The same from ``start`` on, the longest segments first: where a network fits, it mostly does so with few."""
        if start > self._misfits[-1]:
            return True
        tried.add(start)
        return any(stop not in tried and self._goes_on(stop, tried) for stop in self._stops(start))

    def _stops(self, start: int) -> Iterator[int]:
        """Where segments from ``start`` on that fit the limit may end, descending; chains of no use left out."""
        pieces, limit = self._pieces, self._limit
        chains: list[Chain] = []
        for piece in pieces[start:]:
            if piece.flow is None:
                break
            chain = chains[-1].then(piece.flow) if chains else Chain(STEPS[-1], piece.flow)
            if chain.at_least > limit:
                break
            chains.append(chain)
        first = next(index for index in self._misfits if index >= start)
        for stop in range(start + len(chains), first, -1):
            chain = chains[stop - start - 1]
            # Larger steps may take less, though that is rare: the last tensor follows the first one by whole calls.
            if chain.may_fit(limit) and (
                chain.height <= limit or any(Chain.of(step, chain.flows).height <= limit for step in STEPS[:-1])
            ):
                yield stop
        if pieces[start].height <= limit:
            yield start + 1

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
