"""Rows divided by the root of their sum of squares."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.l2_normalize import L2Normalize


class RowNormalize(Kernel):
    """L2Normalize."""

    kind = "l2_normalize"
    ops = (L2Normalize,)

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read for the last time before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and the offset."""
        op, columns = layer.op, layer.output.shape[-1]
        assert isinstance(op, L2Normalize)
        return {
            "rows": layer.output.elements // columns,
            "columns": columns,
            "offset": op.parameters(layer.graph).input_offset,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Two loops, and the root."""
        return 800

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Rows, outputs."""
        return {"row": layer.output.elements // layer.output.shape[-1], "output": layer.output.elements}


KERNEL = RowNormalize()
