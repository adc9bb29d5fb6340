"""Softmax over the last axis: exponentials from a table, one division a row."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.softmax import Softmax


class TableSoftmax(Kernel):
    """Softmax; the table has a word for each distance to the largest element that counts, 1 kB at most."""

    kind = "softmax"
    ops = (Softmax,)

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read for the last time before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and the table."""
        op = layer.op
        assert isinstance(op, Softmax)
        columns = layer.output.shape[-1]
        return {
            "rows": layer.output.elements // columns,
            "columns": columns,
            "exponentials": op.parameters(layer.graph).exponentials,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Three loops, the division and the table."""
        return 700 + 4 * 256

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, rows, outputs."""
        return {"call": 1, "row": layer.output.elements // layer.output.shape[-1], "output": layer.output.elements}


KERNEL = TableSoftmax()
