"""Average pooling, the global one included."""

from collections.abc import Mapping
from math import prod

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.pool import AveragePool2D


class AveragePool(Kernel):
    """AveragePool2D with windows of any size and stride."""

    kind = "average_pool"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every AveragePool2D whose windows lie inside."""
        return isinstance(layer.op, AveragePool2D) and not any(layer.op.padding)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, AveragePool2D)
        _, _, width, channels = layer.input.shape
        return {
            "width": width,
            "channels": channels,
            "columns": layer.output.shape[2],
            "window": op.window,
            "stride": op.stride,
            "origin": op.origin,
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops for four channels at a time, another for what is left over."""
        return 750 * (1 if layer.input.shape[3] % 4 == 0 else 2)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Elements summed, outputs, calls."""
        op = layer.op
        assert isinstance(op, AveragePool2D)
        return {"sum": layer.output.elements * prod(op.window), "output": layer.output.elements, "call": 1}


KERNEL = AveragePool()
