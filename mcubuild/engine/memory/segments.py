"""Which stretches of the network run on whole tensors and which stream, and in how large steps.

The arena is as large as its most demanding segment, the cycles are the sum of all: choosing is a search for the path
from the first cut to the last. Between two segments the tensor that lives on may be moved within the arena, so they
depend on each other in nothing.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeGuard

from mcubuild.engine.memory.chain import Chain
from mcubuild.engine.memory.flow import STEPS, Flow
from mcubuild.engine.memory.pieces import Piece
from mcubuild.errors import BuildError

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


def chained(pieces: Sequence[Piece], start: int, stop: int, step: int, *, fed: bool = False) -> Segment:
    """Pieces ``start`` to ``stop`` (exclusive), all of which can stream, as a chain."""
    chain = Chain.of(step, [flow for piece in pieces[start:stop] if (flow := piece.flow)], fed=fed)
    return Segment(start, stop, step, chain.height, chain.cycles)


def _takes(flow: Flow | None, chains: Sequence[Chain]) -> TypeGuard[Flow]:
    """Whether a chain may begin with ``flow``, if there is none so far, or go on with it."""
    return flow is not None and (flow.joins or not chains)


def choose_segments(pieces: Sequence[Piece], limit: int | None, *, fed: bool = False) -> list[Segment]:
    """The fastest way to run the pieces in ``limit`` bytes (None: any number), or in as few as possible.

    Both are exact, by the estimates of cycles, among all ways in which every chain contains a piece that does not fit
    otherwise: to stream what does fit costs calls.

    Args:
        pieces: of a whole network.
        limit: bytes of the arena.
        fed: whether rows of the input are pulled from outside, so that the first piece has to stream.

    Raises:
        BuildError: the first piece has to stream but cannot.
    """
    if limit is None:
        limit = sys.maxsize
    if not fed and all(piece.height <= limit for piece in pieces):
        return [whole(pieces, index) for index in range(len(pieces))]
    _check_first(pieces, fed)
    search = _Search(pieces, limit, fed)
    return search.fastest(limit) or search.fastest(search.least())


def some_way(pieces: Sequence[Piece], limit: int, *, fed: bool = False) -> list[Segment]:
    """A way to run the pieces in ``limit`` bytes, found without weighing cycles; empty if there is none.

    Raises:
        BuildError: the first piece has to stream but cannot.
    """
    if not fed and all(piece.height <= limit for piece in pieces):
        return [whole(pieces, index) for index in range(len(pieces))]
    _check_first(pieces, fed)
    return _Search(pieces, limit, fed).some_path()


def _check_first(pieces: Sequence[Piece], fed: bool) -> None:
    if fed and pieces[0].flow is None:
        steps = pieces[0].steps
        layers = f"layers 0 to {steps[-1]}" if len(steps) > 1 else "layer 0"
        raise BuildError(
            f'engine.input: found "stream", but {layers} of the network cannot run a few rows at a time. '
            "Allowed is an image (1, height, width, channels) as the only input, read by convolutions, poolings, "
            'paddings and additions up to where a single tensor is alive. Set input = "array".'
        )


class _Search:
    """For the paths from cut to cut."""

    def __init__(self, pieces: Sequence[Piece], limit: int, fed: bool) -> None:
        self._pieces, self._limit, self._fed = pieces, limit, fed
        self._misfits = [index for index in range(len(pieces)) if not self._runs_whole(index, limit)]

    def _runs_whole(self, index: int, bound: int) -> bool:
        """Whether a piece may run on whole tensors."""
        return self._pieces[index].height <= bound and not (self._fed and index == 0)

    def _begin(self, start: int, step: int, flow: Flow) -> Chain:
        return Chain(step, flow, fed=self._fed and start == 0)

    def _ways(self, start: int, bound: int) -> Iterator[Segment]:
        """The segments from ``start`` on that take at most ``bound`` bytes and can be of use.

        Of no use are chains of pieces that all fit the limit, and chains so long that a shorter one is as fast.
        """
        pieces = self._pieces
        if self._runs_whole(start, bound):
            yield whole(pieces, start)
        misfits = [index for index in self._misfits if index >= start]
        if not misfits:
            return
        chains: list[Chain] = []
        on_whole_tensors, best = 0, None
        for stop in range(start + 1, len(pieces) + 1):
            flow = pieces[stop - 1].flow
            if not _takes(flow, chains):
                return
            longer = (
                (chain.then(flow) for chain in chains) if chains else (self._begin(start, step, flow) for step in STEPS)
            )
            chains = [chain for chain in longer if chain.at_least <= bound]
            if not chains:
                return
            on_whole_tensors += pieces[stop - 1].cycles
            if stop <= misfits[0]:
                continue
            for chain in chains:
                if chain.may_fit(bound) and (height := chain.height) <= bound:
                    yield Segment(start, stop, chain.step, height, chain.cycles)
                    if stop > misfits[-1]:
                        extra = chain.cycles - on_whole_tensors
                        best = extra if best is None else min(best, extra)
            # Growing on, a chain can save the move of the tensor that it ends with, and what later pieces save.
            inner = min(chain.inner_cycles for chain in chains)
            if best is not None and inner - on_whole_tensors - self._savings[stop] >= best:
                return

    @cached_property
    def _savings(self) -> list[int]:
        """Cycles that the pieces from each cut on may take less in a chain than on whole tensors, at most."""
        savings = [0]
        for piece in reversed(self._pieces):
            needs = [piece.flow.needs(step) for step in STEPS] if piece.flow else []
            least = min((need.cycles + need.entry_cycles for need in needs), default=piece.cycles)
            savings.append(savings[-1] + max(0, piece.cycles - least))
        return savings[::-1]

    def some_path(self) -> list[Segment]:
        """Whole pieces and chains that fit the limit, from the first cut to the last; empty: there are none."""
        return self._go_on(0, set()) or []

    def _go_on(self, start: int, tried: set[int]) -> list[Segment] | None:
        """The same from ``start`` on, the longest segments first: where a network fits, it mostly does so with few."""
        if start > self._misfits[-1]:
            return [whole(self._pieces, index) for index in range(start, len(self._pieces))]
        tried.add(start)
        for segment in self._longest(start):
            if segment.stop not in tried and (rest := self._go_on(segment.stop, tried)) is not None:
                return [segment, *rest]
        return None

    def _longest(self, start: int) -> Iterator[Segment]:
        """Segments from ``start`` on that fit the limit, the longest first; chains of no use left out."""
        pieces, limit = self._pieces, self._limit
        chains: list[Chain] = []
        for piece in pieces[start:]:
            if not _takes(piece.flow, chains):
                break
            chain = chains[-1].then(piece.flow) if chains else self._begin(start, STEPS[-1], piece.flow)
            if chain.at_least > limit:
                break
            chains.append(chain)
        first = next(index for index in self._misfits if index >= start)
        for stop in range(start + len(chains), first, -1):
            shortest = chains[stop - start - 1]
            if not shortest.may_fit(limit):
                continue
            # Larger steps may take less, though that is rare: the last tensor follows the first one by whole calls.
            for step in reversed(STEPS):
                chain = shortest if step == shortest.step else Chain.of(step, shortest.flows, fed=shortest.fed)
                if (height := chain.height) <= limit:
                    yield Segment(start, stop, step, height, chain.cycles)
                    break
        if self._runs_whole(start, limit):
            yield whole(pieces, start)

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
