"""Elements along one axis in the order of a table."""

from collections.abc import Mapping
from math import prod

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.movement import Gather


class TableGather(Kernel):
    """Gather."""

    kind = "gather"
    ops = (Gather,)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """How many times there is the axis, its elements, and how many neighbours move together."""
        op, shape = layer.op, layer.input.shape
        assert isinstance(op, Gather)
        return {
            "outer": prod(shape[: op.axis]),
            "size": shape[op.axis],
            "run": prod(shape[op.axis + 1 :]),
            "indices": op.indices,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Two loops and the table."""
        op = layer.op
        assert isinstance(op, Gather)
        return 250 + 2 * len(op.indices)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Copies of neighbouring elements, and elements."""
        op = layer.op
        assert isinstance(op, Gather)
        run = prod(layer.input.shape[op.axis + 1 :])
        return {"run": layer.output.elements // run, "output": layer.output.elements}


KERNEL = TableGather()
