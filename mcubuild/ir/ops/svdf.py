"""Filters over time of which each is a product of two: one over the inputs, one over the runs before."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, requantize_wrapped
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Graph, Levels, Op


@dataclass(frozen=True)
class SvdfParameters:
    """Of Svdf: all sums wrap at 32 bits, and an int8 memory at 8 where its zero point is not 0.

    latest = saturate(requantize(sum(feature * (input + input_offset)), first)) - memory_offset
    output = saturate(requantize(bias + sum(time * (memory + memory_offset)), second) + output_offset)
    """

    input_offset: int
    memory_offset: int
    output_offset: int
    first: FixedPoint
    second: FixedPoint


@dataclass(frozen=True)
class Svdf(Op):
    """Input (1, I), and what F filters saw of the last M inputs -> output (1, F / rank) of int8.

    Constants: feature int8 (1, F, I); time (1, F, M) of the memory's type; bias int32 (1, F / rank).
    """

    input: str
    memory: str
    """(1, F, M) of int8 or int16, oldest first."""
    feature: str
    time: str
    bias: str
    output: str
    rank: int
    """Filters that an output is the sum of."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The input, the memory and the constants."""
        return self.input, self.memory, self.feature, self.time, self.bias

    @property
    def state(self) -> tuple[str, ...]:
        """The memory."""
        return (self.memory,)

    def output_shape(self, graph: Graph) -> Shape:
        """An output for every ``rank`` filters."""
        inputs = graph.tensor(self.input).elements
        _, filters, length = shape = graph.tensor(self.memory).shape
        if (
            self.rank < 1
            or filters % self.rank
            or graph.tensor(self.feature).shape != (1, filters, inputs)
            or graph.tensor(self.time).shape != (1, filters, length)
            or graph.tensor(self.bias).shape != (1, filters // self.rank)
        ):
            raise ValueError(f"Svdf of {self.input!r} with {self.memory!r} {shape}: shapes do not go together")
        return 1, filters // self.rank

    def macs(self, graph: Graph) -> int:
        """Every filter sees the input and its memory."""
        return graph.tensor(self.feature).elements + graph.tensor(self.time).elements

    def parameters(self, graph: Graph) -> SvdfParameters:
        """Offsets and factors. Source: ``PrepareSvdf`` of TensorFlow Lite Micro, which computes them in float32."""
        (x, x_zero), (memory, memory_zero), (y, y_zero), (feature, _), (time, _) = (
            graph.scale(name) for name in (self.input, self.memory, self.output, self.feature, self.time)
        )
        first = np.float32(x) * np.float32(feature) / np.float32(memory)
        second = np.float32(memory) * np.float32(time) / np.float32(y)
        return SvdfParameters(-x_zero, -memory_zero, y_zero, FixedPoint.of(float(first)), FixedPoint.of(float(second)))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The memory loses its oldest and gains what the filters see; of that the outputs are weighted sums."""
        x, memory, feature, time, bias = operands
        derived, (low, high) = self.parameters(graph), graph.tensor(self.memory).limits
        inputs = x.reshape(len(x), -1).astype(np.int64) + derived.input_offset
        latest = np.clip(requantize_wrapped(inputs @ feature[0].T.astype(np.int64), derived.first), low, high)
        memory[:, :, :-1] = memory[:, :, 1:].copy()
        memory[:, :, -1] = (latest - derived.memory_offset).astype(memory.dtype)
        products = time.astype(np.int64) * (memory.astype(np.int64) + derived.memory_offset)
        sums = bias + products.reshape(len(memory), bias.shape[1], -1).sum(axis=2)
        scaled = requantize_wrapped(sums, derived.second) + derived.output_offset
        return np.asarray(np.clip(scaled, *graph.tensor(self.output).limits))


OPERATORS = (Svdf,)
