"""An operator together with its tensors: what kernels look at."""

from dataclasses import dataclass
from functools import cached_property

from mcubuild.ir.graph import Graph, Op, Pair, Shape, Tensor, Weighted, macs, op_inputs

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
    def input(self) -> Tensor:
        """The first (mostly the only) activation that is read."""
        return self.graph.tensor(op_inputs(self.op)[0])

    @cached_property
    def output(self) -> Tensor:
        """The activation that is written."""
        return self.graph.tensor(self.op.output)

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

    @property
    def kernel_size(self) -> Pair:
        """Height and width of the filters."""
        shape: Shape = self.weights.shape
        return shape[1], shape[2]


def layers(graph: Graph) -> list[Layer]:
    """The operators of ``graph`` in the order in which they run."""
    return [Layer(graph, index) for index in range(len(graph.ops))]
