"""Which stretches of the network run on whole tensors and which stream, and in how large steps.

The arena is as large as its most demanding segment, the cycles are the sum of all: choosing is a search for the path
from the first cut to the last. Between two segments the tensor that lives on may be moved within the arena, so they
depend on each other in nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.engine.chain import Chain
from mcubuild.engine.flow import STEPS
from mcubuild.engine.pieces import Piece


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
    chain = Chain([flow for piece in pieces[start:stop] if (flow := piece.flow)], step)
    return Segment(start, stop, step, chain.height, chain.cycles)


def choose_segments(pieces: Sequence[Piece], limit: int | None) -> list[Segment]:
    """The fastest way to run the pieces in ``limit`` bytes (None: any number), or in the fewest if none fits."""
    ways = [[whole(pieces, index)] for index in range(len(pieces))]
    if limit is not None and any(piece.height > limit for piece in pieces):
        for segment in _chains(pieces, limit):
            ways[segment.start].append(segment)
    least = _least(ways)
    return _fastest(ways, least if limit is None else max(limit, least))


def _chains(pieces: Sequence[Piece], limit: int) -> list[Segment]:
    """All chains that can be of use: to stream pieces that all fit saves nothing and costs calls."""
    found = []
    for start in range(len(pieces)):
        useful = False
        for stop in range(start + 1, len(pieces) + 1):
            if pieces[stop - 1].flow is None:
                break
            useful = useful or pieces[stop - 1].height > limit
            if useful:
                found += [chained(pieces, start, stop, step) for step in STEPS]
    return found


def _least(ways: Sequence[Sequence[Segment]]) -> int:
    """The smallest arena."""
    reach: list[int | None] = [0, *[None] * len(ways)]
    for start, segments in enumerate(ways):
        height = reach[start]
        if height is None:
            continue
        for segment in segments:
            needed, before = max(height, segment.height), reach[segment.stop]
            reach[segment.stop] = needed if before is None else min(before, needed)
    least = reach[-1]
    assert least is not None
    return least


def _fastest(ways: Sequence[Sequence[Segment]], limit: int) -> list[Segment]:
    """The path of the fewest cycles in ``limit`` bytes; of equal ones, that of the fewest segments."""
    best: list[tuple[int, int, Segment | None] | None] = [(0, 0, None), *[None] * len(ways)]
    for start, segments in enumerate(ways):
        so_far = best[start]
        if so_far is None:
            continue
        for segment in segments:
            if segment.height <= limit:
                found, before = (so_far[0] + segment.cycles, so_far[1] + 1, segment), best[segment.stop]
                if before is None or found[:2] < before[:2]:
                    best[segment.stop] = found
    path: list[Segment] = []
    position = len(ways)
    while position:
        entry = best[position]
        assert entry is not None and entry[2] is not None
        path.insert(0, entry[2])
        position = entry[2].start
    return path
