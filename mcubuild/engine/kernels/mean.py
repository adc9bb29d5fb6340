"""Mean or sum over any axes, requantised."""

from collections.abc import Mapping
from math import prod

from mcubuild.engine.assembly.nest import contiguous, nest
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.geometry import Shape
from mcubuild.ir.ops.reduction import Mean, Sum


class AxisMean(Kernel):
    """Mean and Sum."""

    kind = "mean"
    ops = (Mean, Sum)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops over the outputs, and over what each is the mean or sum of."""
        op = layer.op
        assert isinstance(op, Mean | Sum)
        return {**reduced_loops(layer, op.axes), "numbers": op.parameters(layer.graph)}

    def code_bytes(self, layer: Layer) -> int:
        """Two nests of loops."""
        return 1300

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, outputs, elements summed, innermost loops over these."""
        op, shape = layer.op, layer.input.shape
        assert isinstance(op, Mean | Sum)
        summed = tuple(size if axis in op.axes else 1 for axis, size in enumerate(shape))
        inner = nest(summed, {"input": contiguous(shape)}).sizes
        return {
            "call": 1,
            "output": layer.output.elements,
            "element": layer.input.elements,
            "row": layer.output.elements * prod(inner[:-1]),
        }


def reduced_loops(layer: Layer, axes: Shape) -> dict[str, object]:
    """Loops over the outputs, and over the elements along ``axes`` that each is made of."""
    shape = layer.input.shape
    outer = nest(layer.output.shape, {"input": contiguous(shape), "output": contiguous(layer.output.shape)})
    together = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    inner = nest(together, {"input": contiguous(shape)}, counter="j")
    return {"outputs": outer.sizes, "at": outer.indices, "together": inner.sizes, "step": inner.index("input")}


KERNEL = AxisMean()
