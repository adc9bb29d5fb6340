"""Single elements at another scale or of another type, limited, with a slope of their own below zero."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.rescale import Rescale


class ElementRescale(Kernel):
    """Rescale."""

    kind = "rescale"
    ops = (Rescale,)
    dtypes = BOTH
    streams = True

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input, if elements keep their size: each is read before its place is written."""
        return (layer.input.name,) if layer.input.dtype == layer.output.dtype else ()

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Elements of a row, and the operator's numbers."""
        op = layer.op
        assert isinstance(op, Rescale)
        return {
            "row_elements": layer.output.elements // layer.vertical.rows,
            "numbers": op.parameters(layer.graph),
        }

    def code_bytes(self, layer: Layer) -> int:
        """A loop."""
        return 250

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs."""
        return {"output": layer.output.elements}


KERNEL = ElementRescale()
