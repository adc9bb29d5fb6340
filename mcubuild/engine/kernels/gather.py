"""Elements along one axis in the order of a table."""

from collections.abc import Mapping
from math import prod
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.movement import Gather


class TableGather(Kernel):
    """Gather."""

    kind = "gather"
    ops = (Gather,)
    dtypes = BOTH
    cost: ClassVar[CostTable] = {
        "cortex-m4": {"run": 30.0, "output": 3.0},
        "cortex-m7": {"run": 20.0, "output": 1.5},
    }

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
