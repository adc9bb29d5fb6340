"""Packing of buffers with lifetimes into the lowest arena: dynamic storage allocation, exact for few buffers.

In any best packing every buffer can be slid down until it rests on the floor or on a buffer that lives at the same
time. Putting the buffers down in the order of their offsets, each as low as the ones before allow, rebuilds it: the
search runs over such orders, cut by the bytes that must still come on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """``size`` bytes that live from step ``first`` to step ``last``, both inclusive."""

    name: str
    first: int
    last: int
    size: int


Block = tuple[Part, ...]
"""Parts that begin at the same offset: one part, or tensors that overwrite each other in place."""


@dataclass(frozen=True)
class Packing:
    """Where the blocks lie."""

    height: int
    """Bytes of the arena."""
    offsets: tuple[int, ...]
    """Of each block."""
    nodes: int
    """Steps that the search took."""


def pack(blocks: Sequence[Block], floor: Sequence[int], top: int | None, bound: int, limit: int) -> Packing | None:
    """The lowest packing, or the best found in ``limit`` steps of the search.

    Args:
        blocks: what to pack.
        floor: indices of blocks that must lie at offset 0.
        top: index of a block whose largest part must end flush with the arena, or None.
        bound: a height that no packing goes below; the search ends when it is reached.
        limit: steps after which the best packing so far stands.

    Returns:
        The packing; None if the blocks on the floor get in each other's way.
    """
    search = _Search(blocks, bound, limit)
    order: list[int] = []
    for index in floor:
        if search.lowest(index) > 0:
            return None
        search.put(index, 0)
        order.append(index)
    free = [index for index in range(len(blocks)) if index not in floor and index != top]
    for start in _greedy_orders(blocks, free):
        search.try_order(start, top)
    search.branch(free, top)
    return search.packing(top)


def _greedy_orders(blocks: Sequence[Block], free: Sequence[int]) -> list[list[int]]:
    size = {index: max(part.size for part in blocks[index]) for index in free}
    steps = {index: sum(part.last - part.first + 1 for part in blocks[index]) for index in free}
    return [
        sorted(free, key=lambda index: -size[index]),
        sorted(free, key=lambda index: -steps[index]),
        sorted(free, key=lambda index: blocks[index][0].first),
        sorted(free, key=lambda index: -size[index] * steps[index]),
    ]


class _Search:
    """State of the search: the skyline of what has been put down, step by step of the program."""

    def __init__(self, blocks: Sequence[Block], bound: int, limit: int) -> None:
        self._steps = 1 + max(part.last for block in blocks for part in block)
        self._profiles = [self._profile(block) for block in blocks]
        self._rest = [sum(profile.get(step, 0) for profile in self._profiles) for step in range(self._steps)]
        self._skyline = [0] * self._steps
        self._offsets: dict[int, int] = {}
        self._bound = bound
        self._limit = limit
        self._height: int | None = None
        self._best: dict[int, int] = {}
        self._nodes = 0

    @staticmethod
    def _profile(block: Block) -> dict[int, int]:
        """Bytes above the block's offset that it takes, by step."""
        profile: dict[int, int] = {}
        for part in block:
            for step in range(part.first, part.last + 1):
                profile[step] = max(profile.get(step, 0), part.size)
        return profile

    def lowest(self, index: int) -> int:
        """The lowest offset at which a block clears all that lies below it."""
        return max(self._skyline[step] for step in self._profiles[index])

    def put(self, index: int, offset: int) -> list[tuple[int, int]]:
        """Put a block down; returns what ``take`` needs to undo it."""
        before = []
        self._offsets[index] = offset
        for step, size in self._profiles[index].items():
            before.append((step, self._skyline[step]))
            self._skyline[step] = offset + size
            self._rest[step] -= size
        return before

    def take(self, index: int, before: list[tuple[int, int]]) -> None:
        """Undo ``put``."""
        del self._offsets[index]
        for step, height in before:
            self._skyline[step] = height
            self._rest[step] += self._profiles[index][step]

    def _reach(self) -> int:
        """The least height that what lies can end up with."""
        return max(self._skyline[step] + self._rest[step] for step in range(self._steps))

    def _keep(self, top: int | None) -> None:
        undo = None if top is None else (top, self.put(top, self.lowest(top)))
        height = max(self._skyline)
        if self._height is None or height < self._height:
            self._height, self._best = height, dict(self._offsets)
        if undo is not None:
            self.take(*undo)

    def _done(self) -> bool:
        return self._nodes > self._limit or (self._height is not None and self._height <= self._bound)

    def try_order(self, order: Sequence[int], top: int | None) -> None:
        """One order, without branching."""
        if self._done():
            return
        undo = [(index, self.put(index, self.lowest(index))) for index in order]
        self._keep(top)
        for index, before in reversed(undo):
            self.take(index, before)

    def branch(self, free: Sequence[int], top: int | None, previous: int | None = None) -> None:
        """All orders of ``free`` that can still lower the height."""
        if self._done():
            return
        if not free:
            self._keep(top)
            return
        for index in sorted(free, key=self.lowest):
            if previous is not None and index < previous and self._independent(index, previous):
                continue  # the other order of the two gives the same packing
            self._nodes += 1
            before = self.put(index, self.lowest(index))
            if self._height is None or self._reach() < self._height:
                self.branch([other for other in free if other != index], top, index)
            self.take(index, before)

    def _independent(self, one: int, other: int) -> bool:
        return self._profiles[one].keys().isdisjoint(self._profiles[other])

    def packing(self, top: int | None) -> Packing:
        """The best packing, with block ``top`` raised to the ceiling."""
        assert self._height is not None
        offsets = dict(self._best)
        if top is not None:
            offsets[top] = self._height - max(self._profiles[top].values())
        return Packing(self._height, tuple(offsets[index] for index in range(len(offsets))), self._nodes)
