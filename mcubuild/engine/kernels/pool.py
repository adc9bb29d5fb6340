"""Pooling: windows may reach over the edge."""

from collections.abc import Mapping
from math import ceil
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.graph import MaxPool2D, Pair, Pool
from mcubuild.ir.parameters import parameters


class LargestPool(Kernel):
    """MaxPool2D, four channels at a time."""

    kind = "pool"
    dtypes = BOTH
    streams = True
    cost: ClassVar[CostTable] = {
        "cortex-m4": {
            "call": 0.00,
            "cut": 10.27,
            "cut_element": 4.46,
            "cut_row": 29.37,
            "element": 4.18,
            "four": 0.00,
            "row": 0.00,
        },
        "cortex-m7": {
            "call": 54.81,
            "cut": 21.31,
            "cut_element": 2.77,
            "cut_row": 10.70,
            "element": 2.22,
            "four": 0.00,
            "row": 0.00,
        },
    }

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every MaxPool2D."""
        return isinstance(layer.op, MaxPool2D)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, Pool)
        _, _, width, channels = layer.input.shape
        clamp = parameters(layer.graph, op).clamp
        return {
            "largest": isinstance(op, MaxPool2D),
            "padded": any(op.padding),
            "width": width,
            "channels": channels,
            "columns": layer.output.shape[2],
            "window": op.window,
            "stride": op.stride,
            "padding": op.padding,
            "low": clamp[0],
            "high": clamp[1],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops for four channels at a time, another for what is left over."""
        return 750 * (1 if layer.input.shape[3] % 4 == 0 else 2)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, fours of channels, their rows, elements; of windows that may be cut, what lies inside."""
        op, (_, height, width, channels) = layer.op, layer.output.shape
        assert isinstance(op, Pool)
        rows, columns = inside(layer)
        fours, cut = ceil(channels / 4), any(op.padding)
        return {
            "call": 1,
            "cut": height * width * fours if cut else 0,
            "cut_element": rows * columns * channels if cut else 0,
            "cut_row": rows * width * fours if cut else 0,
            "four": 0 if cut else height * width * fours,
            "element": 0 if cut else rows * columns * channels,
            "row": 0 if cut else rows * width * fours,
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


KERNEL = LargestPool()
