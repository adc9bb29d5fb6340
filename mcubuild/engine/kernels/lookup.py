"""Any function of single elements: a table of its 256 values."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.lookup import Lookup


class Table(Kernel):
    """Lookup."""

    kind = "lookup"
    ops = (Lookup,)
    streams = True

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Elements of a row, and the table in the order of the inputs' bytes: 0 ... 127, then -128 ... -1."""
        op = layer.op
        assert isinstance(op, Lookup)
        table = layer.graph.constants[op.table].tolist()
        return {"row_elements": layer.output.elements // layer.vertical.rows, "table": table[128:] + table[:128]}

    def code_bytes(self, layer: Layer) -> int:
        """A loop and the table."""
        return 430 + 256

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, outputs."""
        return {"call": 1, "output": layer.output.elements}


KERNEL = Table()
