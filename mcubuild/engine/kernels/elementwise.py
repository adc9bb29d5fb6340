"""Two operands whose sizes of 1 are repeated, or of which one is a constant: sum, difference, product."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.add import plain_add
from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.nest import broadcast, contiguous, nest
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Elementwise
from mcubuild.ir.parameters import parameters


class Broadcast(Kernel):
    """Add, Sub and Mul of any two operands."""

    kind = "elementwise"
    dtypes = BOTH
    cost: ClassVar[CostTable] = {"cortex-m4": {"output": 35.0}, "cortex-m7": {"output": 22.0}}

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every operator with two operands, but for sums of int8 that the kernel ``add`` computes."""
        return isinstance(layer.op, Elementwise) and (layer.wide or not plain_add(layer))

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """Operands of the output's shape: each of their elements is read once, before its place is written."""
        op, graph = layer.op, layer.graph
        assert isinstance(op, Elementwise)
        return tuple(
            name
            for name in (op.left, op.right)
            if name not in graph.constants and graph.tensor(name).shape == layer.output.shape
        )

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops, and the operator's numbers."""
        op, graph, shape = layer.op, layer.graph, layer.output.shape
        assert isinstance(op, Elementwise)
        loops = nest(
            shape,
            {
                "left": broadcast(graph.tensor(op.left).shape, shape),
                "right": broadcast(graph.tensor(op.right).shape, shape),
                "output": contiguous(shape),
            },
        )
        derived = parameters(graph, op)
        return {
            "op": type(op).__name__,
            "numbers": derived,
            "sizes": loops.sizes,
            "at": loops.indices,
            "zero_point": derived.output_offset,
            "low": derived.clamp[0],
            "high": derived.clamp[1],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 700

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs."""
        return {"output": layer.output.elements}


KERNEL = Broadcast()
