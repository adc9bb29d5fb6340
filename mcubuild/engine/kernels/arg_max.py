"""Where the largest element lies along an axis."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.assembly.nest import contiguous, nest
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.graph import Dtype
from mcubuild.ir.ops.reduction import ArgMax


class AxisArgMax(Kernel):
    """ArgMax."""

    kind = "arg_max"
    ops = (ArgMax,)
    dtypes: ClassVar[frozenset[Dtype]] = frozenset({"int8", "int32"})

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops over the outputs, and the axis."""
        op, shape = layer.op, layer.input.shape
        assert isinstance(op, ArgMax)
        loops = nest(layer.output.shape, {"input": contiguous(shape), "output": contiguous(layer.output.shape)})
        return {
            "outputs": loops.sizes,
            "at": loops.indices,
            "size": shape[op.axis],
            "step": contiguous(shape)[op.axis],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 300

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs, elements compared."""
        return {"output": layer.output.elements, "element": layer.input.elements}


KERNEL = AxisArgMax()
