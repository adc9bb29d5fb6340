"""A stretch of the network between two cuts as part of a chain: row buffers, scratch and cycles, by rows a call.

What a stretch needs does not depend on its neighbours but for the two tensors that it shares with them, so it is worked
out once and every chain that it is part of adds it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import Layer, align
from mcubuild.engine.memory.streaming import Progress, Stage, progress, schedule
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Tensor
from mcubuild.ir.ops.weighted import DepthwiseConv2D

STEPS = (8, 4, 2, 1)
"""Rows that a call may write at most: more of them cost memory, fewer cost calls and moves."""
CALL_CYCLES = 90
"""Of a call in a chain besides the kernel's own: what is next, and where its rows lie."""
MOVE_CYCLES = 1.0
"""Of moving a byte."""


def row_bytes(tensor: Tensor) -> int:
    """Bytes of one row of an activation."""
    return tensor.nbytes // tensor.shape[1]


@dataclass(frozen=True)
class Needs:
    """What a stretch needs inside a chain if calls write at most a given number of rows."""

    entry: int
    """Bytes of the row buffer of the tensor that it begins with, where that lies inside of the chain."""
    inside: tuple[int, ...]
    """Bytes of the row buffers of the tensors between the first and the last, if they share none."""
    inside_first: int
    """Their sum, where the chain begins with this stretch."""
    inside_later: int
    """Their sum further on, where rows may also lie in the first tensor's buffer."""
    scratch: int
    """Bytes of the largest working memory of its kernels, if they share it."""
    cycles: int
    """Of all calls, and of moving rows inside of it."""
    entry_cycles: int
    """Of moving rows of the tensor that it begins with, where that lies inside of the chain."""
    calls: int
    """Of its layers."""


class Flow:
    """The layers of a stretch, each of whose kernels streams."""

    def __init__(self, layers: Sequence[Layer], target: Target) -> None:
        self._layers, self._target = layers, target
        (entry,) = {name for layer in layers for name in layer.op.operands} - {layer.op.output for layer in layers}
        names = [entry, *(layer.op.output for layer in layers)]
        self.entry, self.exit = layers[0].graph.tensor(entry), layers[-1].output
        self.stages = tuple(
            Stage(layer.vertical, tuple(names.index(name) for name in layer.op.operands)) for layer in layers
        )
        self.names = tuple(names)
        self.entry_bytes, self.exit_bytes = align(self.entry.nbytes), align(self.exit.nbytes)
        self.entry_row, self.exit_row = row_bytes(self.entry), row_bytes(self.exit)
        self.overlaps, self.joins = target.settings.overlap, target.settings.fused_blocks
        """Whether the last tensor of a chain may lie over the first, and whether there are chains of several flows."""
        self._needs: dict[int, Needs] = {}
        self._ends: dict[int, NDArray[np.int64]] = {}

    def ends(self, step: int) -> NDArray[np.int64]:
        """Rows of the last tensor that have been written after each call that writes ``step`` of them."""
        if step not in self._ends:
            height = self.exit.shape[1]
            self._ends[step] = np.minimum(np.arange(step, height + step, step), height)
        return self._ends[step]

    @cached_property
    def progress(self) -> Progress:
        """How far its first tensor is when rows of the last one have been written."""
        return progress(self.stages, self.entry.shape[1])

    def _readers(self, tensor: int) -> list[int]:
        return [index for index, stage in enumerate(self.stages) if tensor in stage.sources]

    @cached_property
    def passes_on(self) -> bool:
        """Whether the first layer alone reads the first tensor, each row at once and just once."""
        return self._passes_on(0)

    def _passes_on(self, tensor: int) -> bool:
        readers = self._readers(tensor)
        if len(readers) != 1:
            return False
        stage = self.stages[readers[0]]
        return len(stage.sources) == 1 and (stage.window.size, stage.window.stride, stage.window.padding) == (1, 1, 0)

    def _overwritten(self, tensor: int) -> int | None:
        """The tensor in whose row buffer rows of ``tensor`` may lie: over the row with which their window begins."""
        layer, stage = self._layers[tensor - 1], self.stages[tensor - 1]
        if not (isinstance(layer.op, DepthwiseConv2D) and self._target.settings.inplace_depthwise):
            return None
        if layer.op.input not in choose(layer, self._target).overwrites(layer):
            return None
        fits = row_bytes(layer.output) <= stage.window.stride * row_bytes(layer.input)
        (source,) = stage.sources
        return source if fits and len(self._readers(source)) == 1 else None

    @cached_property
    def shared(self) -> dict[int, int]:
        """Tensors whose rows lie in another one's row buffer, of which it is known here that the next layer agrees."""
        pairs = {tensor: self._overwritten(tensor) for tensor in range(1, len(self.stages)) if self._passes_on(tensor)}
        return {tensor: source for tensor, source in pairs.items() if source is not None}

    @cached_property
    def exit_shared(self) -> int | None:
        """The same of the last tensor, if the stretch that follows passes it on."""
        return self._overwritten(len(self.stages))

    def needs(self, step: int) -> Needs:
        """What it takes if calls write at most ``step`` rows."""
        if step not in self._needs:
            self._needs[step] = self._work_out(step)
        return self._needs[step]

    def _work_out(self, step: int) -> Needs:
        run = schedule(self.stages, self.entry.shape[1], step)
        tensors = [self.entry, *(layer.output for layer in self._layers)]
        sizes = [align(rows * row_bytes(tensor)) for rows, tensor in zip(run.capacities, tensors, strict=True)]
        moves = [round(rows * row_bytes(t) * MOVE_CYCLES) for rows, t in zip(run.moved, tensors, strict=True)]
        scratch = cycles = 0
        for layer in self._layers:
            kernel, rows = choose(layer, self._target), layer.vertical.rows
            if self._target.settings.model_im2col:
                scratch = max(scratch, align(kernel.scratch_bytes(layer, min(step, rows))))
            cycles += rows // step * (kernel.cycles(layer.part(step), self._target.core) + CALL_CYCLES)
            if rows % step:
                cycles += kernel.cycles(layer.part(rows % step), self._target.core) + CALL_CYCLES
        inside = sum(sizes[1:-1])
        first = inside - sum(sizes[tensor] for tensor, source in self.shared.items() if source)
        later = inside - sum(sizes[tensor] for tensor in self.shared)
        return Needs(
            sizes[0], tuple(sizes[1:-1]), first, later, scratch, cycles + sum(moves[1:-1]), moves[0], len(run.calls)
        )
