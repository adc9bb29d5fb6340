"""Pooling: windows may reach over the edge."""

from collections.abc import Mapping
from math import ceil

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.geometry import Pair
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D, Pool


class GeneralPool(Kernel):
    """MaxPool2D, and AveragePool2D with padding, four channels at a time; the average without has its own kernel."""

    kind = "pool"
    dtypes = BOTH
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every pooling, but for averages of int8 in windows that lie inside."""
        op = layer.op
        return isinstance(op, Pool) and (isinstance(op, MaxPool2D) or any(op.padding) or layer.wide)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, Pool)
        _, _, width, channels = layer.input.shape
        clamp = op.parameters(layer.graph).clamp
        return {
            "largest": isinstance(op, MaxPool2D),
            "padded": any(op.padding),
            "width": width,
            "channels": channels,
            "columns": layer.output.shape[2],
            "window": op.window,
            "stride": op.stride,
            "padding": op.padding,
            "origin": op.origin if isinstance(op, AveragePool2D) else 0,
            "low": clamp[0],
            "high": clamp[1],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops for four channels at a time, another for what is left over."""
        return 750 * (1 if layer.input.shape[3] % 4 == 0 else 2)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls; elements of whole windows, or fours of channels of windows that may be cut, their rows and elements.

        Of windows only what lies inside; means apart, which are all of windows that may be cut.
        """
        op, (_, height, width, channels) = layer.op, layer.output.shape
        assert isinstance(op, Pool)
        rows, columns = inside(layer)
        fours, elements = ceil(channels / 4), rows * columns * channels
        if not isinstance(op, MaxPool2D):
            return {"call": 1, "mean": height * width * fours, "sum": elements}
        if not any(op.padding):
            return {"call": 1, "element": elements}
        return {
            "call": 1,
            "cut": height * width * fours,
            "cut_row": rows * width * fours,
            "cut_element": elements,
        }


def inside(layer: Layer) -> Pair:
    """Rows, and columns, of all windows together that lie inside the input."""
    op = layer.op
    assert isinstance(op, Pool)
    rows, columns = (
        sum(min(i * stride - low + size, length) - max(i * stride - low, 0) for i in range(count))
        for count, length, size, stride, low in zip(
            layer.output.shape[1:3], layer.input.shape[1:3], op.window, op.stride, op.padding[::2], strict=True
        )
    )
    return rows, columns


KERNEL = GeneralPool()
