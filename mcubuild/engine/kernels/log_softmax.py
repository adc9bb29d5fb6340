"""Logarithm of the softmax over the last axis: exponentials from a table, one logarithm a row."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.softmax import LogSoftmax


class TableLogSoftmax(Kernel):
    """LogSoftmax; the table has a word for each distance to the largest element that counts, 1 kB at most."""

    kind = "log_softmax"
    ops = (LogSoftmax,)

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read for the last time before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes, the table and the factors."""
        op, columns = layer.op, layer.output.shape[-1]
        assert isinstance(op, LogSoftmax)
        return {
            "rows": layer.output.elements // columns,
            "columns": columns,
            "numbers": op.parameters(layer.graph),
        }

    def code_bytes(self, layer: Layer) -> int:
        """Three loops, the logarithm and the table."""
        return 1300 + 4 * 256

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Rows, outputs."""
        return {"row": layer.output.elements // layer.output.shape[-1], "output": layer.output.elements}


KERNEL = TableLogSoftmax()
