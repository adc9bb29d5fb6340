"""Softmax of int16 over the last axis: exponentials and reciprocals interpolated in tables."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.wide_softmax import WideSoftmax, exponential_table, reciprocal_table


class InterpolatedSoftmax(Kernel):
    """WideSoftmax."""

    kind = "wide_softmax"
    ops = (WideSoftmax,)
    dtypes = BOTH

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: the largest of a row is found first, then each element is read before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes, tables, and the factor to the place in the first."""
        op = layer.op
        assert isinstance(op, WideSoftmax)
        columns = layer.output.shape[-1]
        return {
            "rows": layer.output.elements // columns,
            "columns": columns,
            "exponentials": exponential_table(),
            "reciprocals": reciprocal_table(),
            "factor": op.parameters(layer.graph).factor,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Three loops and two tables."""
        return 700 + 2 * 2 * 513

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Rows, outputs."""
        return {"row": layer.output.elements // layer.output.shape[-1], "output": layer.output.elements}


KERNEL = InterpolatedSoftmax()
