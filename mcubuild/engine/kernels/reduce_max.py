"""The largest element over any axes."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.kernels.mean import reduced_loops
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.reduction import ReduceMax


class AxisMaximum(Kernel):
    """ReduceMax."""

    kind = "reduce_max"
    ops = (ReduceMax,)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops over the outputs, and over what each is the largest of."""
        op = layer.op
        assert isinstance(op, ReduceMax)
        return reduced_loops(layer, op.axes)

    def code_bytes(self, layer: Layer) -> int:
        """Two nests of loops."""
        return 400

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs, elements compared."""
        return {"output": layer.output.elements, "element": layer.input.elements}


KERNEL = AxisMaximum()
