"""An operator together with its tensors: what kernels look at."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mcubuild.ir.geometry import Pair, Rows, Shape, height
from mcubuild.ir.graph import Dtype, Graph, Op, Tensor
from mcubuild.ir.ops.weighted import Weighted

ALIGNMENT = 4
"""Activations, scratch and structs of constants begin at multiples of this many bytes, so that words can be read."""


def align(size: int) -> int:
    """``size`` rounded up to a multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


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
    def known(self) -> dict[object, Any]:
        """What the engine has worked out of the layer, so that it does once: channels, tiles, kernels."""
        return {}

    @cached_property
    def input(self) -> Tensor:
        """The first (mostly the only) activation that is read."""
        return self.graph.tensor(self.op.operands[0])

    @cached_property
    def output(self) -> Tensor:
        """The activation that is written."""
        return self.graph.tensor(self.op.output)

    @cached_property
    def dtypes(self) -> frozenset[Dtype]:
        """Types of the operands and of the output."""
        return frozenset(self.graph.tensor(name).dtype for name in (*self.op.operands, self.op.output))

    @property
    def wide(self) -> bool:
        """Whether it computes on int16."""
        return "int16" in self.dtypes

    @cached_property
    def packed(self) -> bool:
        """Whether it reads or writes activations of 4 bits."""
        return any(self.graph.tensor(name).packed for name in (*self.op.operands, self.op.output))

    @cached_property
    def constant_operands(self) -> tuple[Tensor, ...]:
        """The operands that are constants, each once."""
        names = dict.fromkeys(name for name in self.op.operands if name in self.graph.constants)
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
    def weight_offset(self) -> int:
        """Minus the zero point of the weights: 0 but for those that were uint8."""
        quantization = self.weights.quantization if isinstance(self.op, Weighted) else None
        return 0 if quantization is None else -quantization.zero_point

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates, padding included."""
        return self.op.macs(self.graph)

    @property
    def filters(self) -> int:
        """Output channels of an operator with weights."""
        return self.graph.tensor(self.weighted.bias).elements

    @cached_property
    def vertical(self) -> Rows:
        """How output rows depend on input rows; tensors of rank 2 are one row, which needs all rows of the input."""
        return self.op.rows(self.graph)

    def part(self, rows: int) -> "Layer":
        """A layer that costs what a call of this one costs that writes ``rows`` rows away from top and bottom."""
        if rows >= self.vertical.rows:
            return self
        op, span, tensors = self.op, self.vertical.span(rows), dict(self.graph.tensors)
        for name in op.operands:
            tensors[name] = replace(tensors[name], shape=(1, span, *tensors[name].shape[2:]))
        tensors[op.output] = replace(self.output, shape=(1, rows, *self.output.shape[2:]))
        return Layer(Graph("part", tensors, (op.inner(),), tuple(dict.fromkeys(op.operands)), (op.output,)), 0)

    @property
    def input_rows(self) -> int:
        """Rows of the input; tensors of rank 2 are one row."""
        return height(self.input.shape)

    @property
    def kernel_size(self) -> Pair:
        """Height and width of the filters."""
        shape: Shape = self.weights.shape
        return shape[1], shape[2]


def layers(graph: Graph) -> list[Layer]:
    """The operators of ``graph`` in the order in which they run: each time the same objects, with what they know."""
    found: tuple[Layer, ...] | None = graph.known.get(Layer)
    if found is None:
        graph.known[Layer] = found = tuple(Layer(graph, index) for index in range(len(graph.ops)))
    return [*found]
