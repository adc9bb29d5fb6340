"""Operators that move elements and compute nothing."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Pair, Rows, Shape
from mcubuild.ir.graph import Graph, Levels, Op
from mcubuild.ir.ops.base import Unary


class Movement(Op):
    """Operators that compute nothing."""


@dataclass(frozen=True)
class Reshape(Unary, Movement):
    """The same elements in the same order -> output of ``shape``."""

    shape: Shape

    def output_shape(self, graph: Graph) -> Shape:
        """As asked for."""
        shape = graph.tensor(self.input).shape
        if prod(self.shape) != prod(shape):
            raise ValueError(f"Reshape of {self.input!r} {shape} to {self.shape}: the number of elements differs")
        return self.shape

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Sample by sample."""
        return operands[0].reshape(len(operands[0]), *self.shape[1:])


@dataclass(frozen=True)
class Transpose(Unary, Movement):
    """Axis i of the output is axis ``permutation[i]`` of the input; the first stays."""

    permutation: Shape

    def output_shape(self, graph: Graph) -> Shape:
        """Sizes in another order."""
        shape = graph.tensor(self.input).shape
        if sorted(self.permutation) != list(range(len(shape))) or self.permutation[0] != 0:
            raise ValueError(f"Transpose of {self.input!r} {shape}: {self.permutation} is no permutation of its axes")
        return tuple(shape[axis] for axis in self.permutation)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Axes in another order."""
        return operands[0].transpose(self.permutation)


@dataclass(frozen=True)
class Slice(Unary, Movement):
    """Every ``stride``-th element of each axis from ``begin`` on, backwards where negative -> output of ``shape``."""

    begin: Shape
    stride: Shape
    shape: Shape

    def output_shape(self, graph: Graph) -> Shape:
        """As asked for."""
        shape = graph.tensor(self.input).shape
        for size, begin, stride, count in zip(shape, self.begin, self.stride, self.shape, strict=True):
            if not (0 <= begin < size and 0 <= begin + (count - 1) * stride < size):
                raise ValueError(f"Slice of {self.input!r} {shape}: reads outside")
        return self.shape

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Axis by axis."""
        x: NDArray[Any] = operands[0]
        for axis, (begin, stride, count) in enumerate(zip(self.begin, self.stride, self.shape, strict=True)):
            if axis:
                x = x.take(begin + stride * np.arange(count), axis)
        return x


@dataclass(frozen=True)
class Gather(Unary, Movement):
    """Element i along ``axis`` of the output is element ``indices[i]`` of the input."""

    axis: int
    indices: Shape

    def output_shape(self, graph: Graph) -> Shape:
        """As many elements as indices."""
        shape = graph.tensor(self.input).shape
        if not all(0 <= index < shape[self.axis] for index in self.indices):
            raise ValueError(f"Gather of {self.input!r} {shape}: reads outside")
        return (*shape[: self.axis], len(self.indices), *shape[self.axis + 1 :])

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """What the indices name."""
        return np.asarray(operands[0].take(self.indices, self.axis))


@dataclass(frozen=True)
class Pad(Unary, Movement):
    """``value`` added (before, after) each axis -> output of the larger shape."""

    padding: tuple[Pair, ...]
    value: int

    def output_shape(self, graph: Graph) -> Shape:
        """Larger."""
        shape = graph.tensor(self.input).shape
        return tuple(before + size + after for size, (before, after) in zip(shape, self.padding, strict=True))

    def rows(self, graph: Graph) -> Rows:
        """Windows of a row."""
        plain = super().rows(graph)
        return replace(plain, padding=self.padding[1][0]) if len(self.padding) == 4 else plain

    def inner(self) -> Self:
        """Without rows above and below."""
        return replace(self, padding=(self.padding[0], (0, 0), *self.padding[2:]))

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """The value around it."""
        return np.pad(operands[0], self.padding, constant_values=self.value)


@dataclass(frozen=True)
class Concat(Movement):
    """Tensors of one scale and zero point joined along ``axis`` -> output."""

    inputs: tuple[str, ...]
    output: str
    axis: int

    @property
    def operands(self) -> tuple[str, ...]:
        """The inputs."""
        return self.inputs

    def reading(self, old: str, new: str) -> Self:
        """With ``new`` wherever it read ``old``."""
        return replace(self, inputs=tuple(new if name == old else name for name in self.inputs))

    def output_shape(self, graph: Graph) -> Shape:
        """All of them along the axis."""
        axis, shapes = self.axis, [graph.tensor(name).shape for name in self.inputs]
        shape = shapes[0]
        for other in shapes:
            if other[:axis] != shape[:axis] or other[axis + 1 :] != shape[axis + 1 :]:
                raise ValueError(f"Concat along axis {axis} of {shape} and {other}: the other sizes differ")
        return (*shape[:axis], sum(other[axis] for other in shapes), *shape[axis + 1 :])

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """One behind the other; constants for every sample."""
        samples = max(map(len, operands))
        return np.concatenate([np.broadcast_to(part, (samples, *part.shape[1:])) for part in operands], self.axis)


OPERATORS = (Reshape, Transpose, Slice, Gather, Pad, Concat)
