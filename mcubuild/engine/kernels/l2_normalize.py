"""Rows divided by the root of their sum of squares."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.graph import L2Normalize
from mcubuild.ir.parameters import parameters


class RowNormalize(Kernel):
    """L2Normalize."""

    kind = "l2_normalize"

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every L2Normalize."""
        return isinstance(layer.op, L2Normalize)

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
            "offset": parameters(layer.graph, op).input_offset,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Two loops, and the root."""
        return 800

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Rows, outputs."""
        return {"row": layer.output.elements // layer.output.shape[-1], "output": layer.output.elements}


KERNEL = RowNormalize()
