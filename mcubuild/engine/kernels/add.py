"""Sum of two tensors with their own scales."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.elementwise import Add


def plain_add(layer: Layer) -> bool:
    """Whether ``layer`` adds two activations of equal shape."""
    op, graph = layer.op, layer.graph
    return (
        isinstance(op, Add)
        and not {op.left, op.right} & graph.constants.keys()
        and graph.tensor(op.left).shape == graph.tensor(op.right).shape
    )


class ElementwiseAdd(Kernel):
    """Add."""

    kind = "add"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Add of two activations of equal shape."""
        return plain_add(layer)

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """Either operand: each element is read before it is written."""
        op = layer.op
        assert isinstance(op, Add)
        return (op.left, op.right)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Elements of a row."""
        return {"row_elements": layer.output.elements // layer.vertical.rows}

    def code_bytes(self, layer: Layer) -> int:
        """One loop."""
        return 500

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs, calls."""
        return {"output": layer.output.elements, "call": 1}


KERNEL = ElementwiseAdd()
