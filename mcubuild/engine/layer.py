"""An operator together with its tensors: what kernels look at."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mcubuild.ir.graph import (
    Conv2D,
    DepthwiseConv2D,
    Dtype,
    FullyConnected,
    Graph,
    Op,
    Pad,
    Pair,
    Pool,
    Shape,
    Tensor,
    Weighted,
    macs,
    op_inputs,
)

ALIGNMENT = 4
"""Activations, scratch and structs of constants begin at multiples of this many bytes, so that words can be read."""


def align(size: int) -> int:
    """``size`` rounded up to a multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Rows:
    """How an operator's output rows read its input rows: windows of ``size`` rows, ``stride`` apart.

    The first window begins ``padding`` rows above the input.
    """

    rows: int
    """Output rows."""
    size: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def above(self) -> int:
        """Padding rows that a window covers together with rows of the input: they take room in row buffers."""
        return min(self.padding, self.size - 1)

    def span(self, rows: int) -> int:
        """Input rows, padding included, that the windows of ``rows`` neighbouring output rows cover."""
        return (rows - 1) * self.stride + self.size

    def outside(self, first: int, rows: int, height: int) -> Pair:
        """Padding rows above and below an input of ``height`` rows that output rows from ``first`` on need."""
        begin = first * self.stride - self.padding
        return max(-begin, 0), max(begin + self.span(rows) - height, 0)


@dataclass(frozen=True)
class Layer:
    """Operator number ``index`` of ``graph``."""

    graph: Graph
    index: int

    @cached_property
    def op(self) -> Op:
        """The operator."""
        return self.graph.ops[self.index]

    @cached_property
    def chosen(self) -> dict[int, tuple[object, Any]]:
        """The kernel that ``kernels.choose`` took for a target, by id; with the target, which keeps its id alive."""
        return {}

    @cached_property
    def input(self) -> Tensor:
        """The first (mostly the only) activation that is read."""
        return self.graph.tensor(op_inputs(self.op)[0])

    @cached_property
    def output(self) -> Tensor:
        """The activation that is written."""
        return self.graph.tensor(self.op.output)

    @cached_property
    def dtypes(self) -> frozenset[Dtype]:
        """Types of the operands and of the output."""
        return frozenset(self.graph.tensor(name).dtype for name in (*op_inputs(self.op), self.op.output))

    @property
    def wide(self) -> bool:
        """Whether it computes on int16."""
        return "int16" in self.dtypes

    @cached_property
    def constant_operands(self) -> tuple[Tensor, ...]:
        """The operands that are constants, each once."""
        names = dict.fromkeys(name for name in op_inputs(self.op) if name in self.graph.constants)
        return tuple(self.graph.tensor(name) for name in names)

    @cached_property
    def weighted(self) -> Weighted:
        """The operator, known to have weights.

        Raises:
            TypeError: it has none.
        """
        if not isinstance(self.op, Weighted):
            raise TypeError(f"{type(self.op).__name__} has no weights")
        return self.op

    @cached_property
    def weights(self) -> Tensor:
        """The weights."""
        return self.graph.tensor(self.weighted.weights)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates, padding included."""
        return macs(self.graph, self.op)

    @property
    def filters(self) -> int:
        """Output channels of an operator with weights."""
        return self.graph.tensor(self.weighted.bias).elements

    @cached_property
    def vertical(self) -> Rows:
        """How output rows depend on input rows; tensors of rank 2 are one row, which needs all rows of the input."""
        op, shape = self.op, self.output.shape
        if isinstance(op, Pool):
            return Rows(shape[1], op.window[0], op.stride[0], op.padding[0])
        if isinstance(op, FullyConnected):
            return Rows(1, size=self.input_rows)
        if isinstance(op, Weighted):
            return Rows(shape[1], self.kernel_size[0], op.stride[0], op.padding[0])
        if isinstance(op, Pad) and len(shape) == 4:
            return Rows(shape[1], padding=op.padding[1][0])
        return Rows(shape[1] if len(shape) == 4 else 1)

    def part(self, rows: int) -> "Layer":
        """A layer that costs what a call of this one costs that writes ``rows`` rows away from top and bottom."""
        if rows >= self.vertical.rows:
            return self
        op, span, tensors = self.op, self.vertical.span(rows), dict(self.graph.tensors)
        for name in op_inputs(op):
            tensors[name] = replace(tensors[name], shape=(1, span, *tensors[name].shape[2:]))
        tensors[op.output] = replace(self.output, shape=(1, rows, *self.output.shape[2:]))
        if isinstance(op, Conv2D | DepthwiseConv2D | Pool):
            op = replace(op, padding=(0, 0, *op.padding[2:]))
        if isinstance(op, Pad):
            op = replace(op, padding=(op.padding[0], (0, 0), *op.padding[2:]))
        return Layer(Graph("part", tensors, (op,), tuple(dict.fromkeys(op_inputs(op))), (op.output,)), 0)

    @property
    def input_rows(self) -> int:
        """Rows of the input; tensors of rank 2 are one row."""
        return self.input.shape[1] if len(self.input.shape) == 4 else 1

    @property
    def kernel_size(self) -> Pair:
        """Height and width of the filters."""
        shape: Shape = self.weights.shape
        return shape[1], shape[2]


def layers(graph: Graph) -> list[Layer]:
    """The operators of ``graph`` in the order in which they run."""
    return [Layer(graph, index) for index in range(len(graph.ops))]
