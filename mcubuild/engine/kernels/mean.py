"""Mean over any axes, requantised."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.nest import contiguous, nest
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Mean
from mcubuild.ir.parameters import parameters


class AxisMean(Kernel):
    """Mean."""

    kind = "mean"
    dtypes = BOTH
    cost: ClassVar[CostTable] = {
        "cortex-m4": {"output": 40.0, "element": 5.0},
        "cortex-m7": {"output": 25.0, "element": 2.5},
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
        return 500

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs, elements summed."""
        return {"output": layer.output.elements, "element": layer.input.elements}


KERNEL = AxisMean()
