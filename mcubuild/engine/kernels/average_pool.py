"""Average pooling, the global one included."""

from collections.abc import Mapping
from math import prod

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.graph import AveragePool2D


class AveragePool(Kernel):
    """AveragePool2D with windows of any size and stride."""

    kind = "average_pool"

    def serves(self, layer: Layer) -> bool:
        """Every AveragePool2D."""
        return isinstance(layer.op, AveragePool2D)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, AveragePool2D)
        _, height, width, channels = layer.input.shape
        _, rows, columns, _ = layer.output.shape
        return {
            "height": height,
            "width": width,
            "channels": channels,
            "rows": rows,
            "columns": columns,
            "window": op.window,
            "stride": op.stride,
        }

    def code_bytes(self, layer: Layer) -> int:
        """One nest of loops."""
        return 650

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Elements summed, outputs, calls."""
        op = layer.op
        assert isinstance(op, AveragePool2D)
        return {"sum": layer.output.elements * prod(op.window), "output": layer.output.elements, "call": 1}


KERNEL = AveragePool()
