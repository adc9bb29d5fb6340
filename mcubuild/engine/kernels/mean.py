"""Mean over any axes, requantised."""

from collections.abc import Mapping
from math import prod
from typing import ClassVar

from mcubuild.engine.kernels.base import CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.nest import contiguous, nest
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Mean
from mcubuild.ir.parameters import parameters


class AxisMean(Kernel):
    """Mean."""

    kind = "mean"
    cost: ClassVar[CostTable] = {
        "cortex-m4": {"call": 50.63, "element": 3.58, "output": 5.89, "row": 5.89},
        "cortex-m7": {"call": 200.00, "element": 1.27, "output": 6.30, "row": 6.14},
    }

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Mean."""
        return isinstance(layer.op, Mean)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops over the outputs, and over what each is the mean of."""
        op, shape = layer.op, layer.input.shape
        assert isinstance(op, Mean)
        outer = nest(layer.output.shape, {"input": contiguous(shape), "output": contiguous(layer.output.shape)})
        summed = tuple(size if axis in op.axes else 1 for axis, size in enumerate(shape))
        inner = nest(summed, {"input": contiguous(shape)}, counter="j")
        return {
            "outputs": outer.sizes,
            "at": outer.indices,
            "summed": inner.sizes,
            "step": inner.index("input"),
            "numbers": parameters(layer.graph, op),
        }

    def code_bytes(self, layer: Layer) -> int:
        """Two nests of loops."""
        return 1300

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, outputs, elements summed, innermost loops over these."""
        op, shape = layer.op, layer.input.shape
        assert isinstance(op, Mean)
        summed = tuple(size if axis in op.axes else 1 for axis, size in enumerate(shape))
        inner = nest(summed, {"input": contiguous(shape)}).sizes
        return {
            "call": 1,
            "output": layer.output.elements,
            "element": layer.input.elements,
            "row": layer.output.elements * prod(inner[:-1]),
        }


KERNEL = AxisMean()
