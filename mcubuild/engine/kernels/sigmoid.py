"""Logistic function and hyperbolic tangent of int16, interpolated in a table of 256 entries."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.sigmoid import Sigmoid, sigmoid_table


class TableSigmoid(Kernel):
    """Sigmoid."""

    kind = "sigmoid"
    ops = (Sigmoid,)
    dtypes = BOTH
    streams = True

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Elements of a row, the table and the way to it."""
        op = layer.op
        assert isinstance(op, Sigmoid)
        return {
            "row_elements": layer.output.elements // layer.vertical.rows,
            "function": op.function,
            "table": sigmoid_table(),
            "numbers": op.parameters(layer.graph),
        }

    def code_bytes(self, layer: Layer) -> int:
        """A loop and the table."""
        return 300 + 2 * 256

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs."""
        return {"output": layer.output.elements}


KERNEL = TableSigmoid()
