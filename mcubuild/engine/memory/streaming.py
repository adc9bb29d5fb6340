"""Streaming: layers run a few rows at a time, each just before the next one needs its rows.

A chain of layers pulls: to write rows of its last tensor, a layer first has the layers before it write the rows that
its windows lack. So no tensor but the first and the last ever exists in full, no row is computed twice, and a tensor's
buffer holds a window and nothing more. What happens here, call by call, is what the generated C does.

Tensors are numbered within the chain: 0 is what it begins with, stage i writes tensor i + 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Rows

SOURCE = -1
"""What writes tensor 0, where that does not exist before the chain begins."""


@dataclass(frozen=True)
class Stage:
    """A layer of a chain: its windows and the tensors that it reads."""

    window: Rows
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A stage writes its next ``rows`` rows."""

    stage: int
    """SOURCE: those rows of tensor 0 are pulled from outside of the chain."""
    rows: int


@dataclass(frozen=True)
class Schedule:
    """The calls of a chain, and what they need. Rows above a tensor that windows reach into count as rows."""

    calls: tuple[Call, ...]
    capacities: tuple[int, ...]
    """Rows that a buffer of each tensor must hold; tensor 0 is taken to be pulled as well."""
    moved: tuple[int, ...]
    """Rows of each tensor that are moved to the start of a buffer of that capacity to make room, over all calls."""


def first_rows(stages: Sequence[Stage]) -> list[int]:
    """The first row of each tensor that a window reaches into: 0, or negative where there is padding above."""
    first = [0] * (len(stages) + 1)
    for stage in stages:
        for source in stage.sources:
            first[source] = min(first[source], -stage.window.above)
    return first


def schedule(stages: Sequence[Stage], height: int, step: int, *, fed: bool = False) -> Schedule:
    """The calls that write all of the last tensor.

    Args:
        stages: in an order in which whole layers could run; each but the last is read by a later one.
        height: rows of tensor 0.
        step: the most rows that a call writes.
        fed: whether the rows of tensor 0 are pulled by calls as well.
    """
    run = _Run(stages, height, step, fed)
    run.pull(len(stages), run.heights[-1])
    return Schedule(tuple(run.calls), tuple(run.capacities), tuple(run.moved(list(run.capacities))))


class _Run:
    """State of the simulation: how many rows of each tensor have been written."""

    def __init__(self, stages: Sequence[Stage], height: int, step: int, fed: bool) -> None:
        self._stages, self._step, self._fed = stages, step, fed
        self.heights = [height, *(stage.window.rows for stage in stages)]
        self._done = [0] * len(self.heights)
        self._readers: list[list[int]] = [[] for _ in self.heights]
        for index, stage in enumerate(stages):
            for source in stage.sources:
                self._readers[source].append(index)
        self.calls: list[Call] = []
        self.capacities = [0] * len(self.heights)
        self._written: list[tuple[int, int, int, int]] = []

    def pull(self, tensor: int, upto: int) -> None:
        """Write ``tensor`` up to row ``upto``, exclusive."""
        while (done := self._done[tensor]) < upto:
            rows = min(self._step, upto - done)
            if tensor:
                stage = self._stages[tensor - 1]
                end = done * stage.window.stride - stage.window.padding + stage.window.span(rows)
                for source in stage.sources:
                    self.pull(source, min(end, self.heights[source]))
            if tensor or self._fed:
                self.calls.append(Call(tensor - 1, rows))
            keep = self._oldest(tensor)
            self.capacities[tensor] = max(self.capacities[tensor], done + rows - keep)
            self._written.append((tensor, done, rows, keep))
            self._done[tensor] = done + rows

    def _oldest(self, tensor: int) -> int:
        """The first row of ``tensor`` that a later call reads; the last tensor is kept from row 0 on."""
        readers = [self._stages[reader].window for reader in self._readers[tensor]]
        starts = [
            max(self._done[reader + 1] * window.stride - window.padding, -window.above)
            for reader, window in zip(self._readers[tensor], readers, strict=True)
        ]
        return min([self._done[tensor], *starts]) if starts else 0

    def moved(self, capacities: Sequence[int]) -> list[int]:
        """Rows of each tensor that move if buffers have these capacities."""
        first, total = first_rows(self._stages), [0] * len(capacities)
        for tensor, done, rows, keep in self._written:
            if done + rows > first[tensor] + capacities[tensor]:
                total[tensor] += done - keep
                first[tensor] = keep
        return total


@dataclass(frozen=True)
class Progress:
    """How far tensor 0 is when 0, 1, ... rows of the last tensor have been written: int64 (its rows + 1,) each."""

    written: NDArray[np.int64]
    """Rows of tensor 0 that have been pulled."""
    oldest: NDArray[np.int64]
    """The first row of tensor 0 that a stage besides the last one still reads."""
    read_last: NDArray[np.int64]
    """The first row of tensor 0 that the last stage still reads; its height if that reads other tensors only."""


def progress(stages: Sequence[Stage], height: int) -> Progress:
    """How a chain gets on with its first tensor, of ``height`` rows; independent of how many rows a call writes."""
    heights = [height, *(stage.window.rows for stage in stages)]
    done = [np.zeros(heights[-1] + 1, np.int64) for _ in heights]
    done[-1] = np.arange(heights[-1] + 1)
    oldest = {True: np.full(heights[-1] + 1, height, np.int64)}
    oldest[False] = oldest[True].copy()
    for index in reversed(range(len(stages))):
        window, end = stages[index].window, done[index + 1]
        begin = np.maximum(end * window.stride - window.padding, 0)
        pulled = np.where(end > 0, (end - 1) * window.stride - window.padding + window.size, 0)
        last = index == len(stages) - 1
        for source in stages[index].sources:
            done[source] = np.maximum(done[source], np.clip(pulled, 0, heights[source]))
            if source == 0:
                oldest[last] = np.minimum(oldest[last], begin)
    return Progress(done[0], oldest[False], oldest[True])
