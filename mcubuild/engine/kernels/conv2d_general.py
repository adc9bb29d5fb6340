"""Convolutions that no faster kernel computes: gaps in the filters, transposed, matrix products of many rows."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import row_bytes, rows
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.geometry import Pair
from mcubuild.ir.ops.weighted import Conv2D, FullyConnected, TransposeConv2D


class AnyConv2D(Kernel):
    """Conv2D, TransposeConv2D and FullyConnected, product by product; narrower weights take a byte each."""

    kind = "conv2d_general"
    dtypes = BOTH
    offsets = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Gaps in the filters, transposed, several rows, int16, or weights with a zero point."""
        op = layer.op
        gaps = isinstance(op, Conv2D) and op.dilation != (1, 1)
        many = isinstance(op, FullyConnected) and len(layer.output.shape) > 2
        other = isinstance(op, Conv2D | FullyConnected) and (layer.wide or layer.weight_offset != 0)
        return gaps or many or other or isinstance(op, TransposeConv2D)

    def weight_bytes(self, layer: Layer) -> int:
        """Filter by filter."""
        return row_bytes(layer.filters, _depth(layer), 8)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Filter by filter."""
        return rows(weights.reshape(layer.filters, -1), 8)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        common = {"transposed": isinstance(op, TransposeConv2D), "depth": _depth(layer), "filters": layer.filters}
        if isinstance(op, FullyConnected):
            count = layer.output.elements // layer.filters
            return {
                **common,
                "height": count,
                "width": 1,
                "channels": layer.weights.shape[1],
                "rows": count,
                "columns": 1,
                "size": (1, 1),
                "stride": (1, 1),
                "dilation": (1, 1),
                "padding": (0, 0, 0, 0),
            }
        assert isinstance(op, Conv2D | TransposeConv2D)
        _, height, width, channels = layer.input.shape
        return {
            **common,
            "height": height,
            "width": width,
            "channels": channels,
            "rows": layer.output.shape[1],
            "columns": layer.output.shape[2],
            "size": layer.kernel_size,
            "stride": op.stride,
            "dilation": op.dilation if isinstance(op, Conv2D) else (1, 1),
            "padding": op.padding,
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 1250

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, outputs, pixels of windows (apart where most are missing), those that there are, products."""
        outputs, channels = layer.output.elements, layer.weights.shape[-1]
        multiplied = layer.filters * _multiplied(layer)
        spread = isinstance(layer.op, TransposeConv2D) and layer.op.stride != (1, 1)
        return {
            "call": 1,
            "output": outputs,
            "spread" if spread else "tap": outputs * prod(_size(layer)),
            "inside": multiplied,
            "mac": multiplied * channels,
        }


def _size(layer: Layer) -> Pair:
    return (1, 1) if isinstance(layer.op, FullyConnected) else layer.kernel_size


def _multiplied(layer: Layer) -> int:
    """Pixels of all windows of a filter: of a transposed convolution, those that there are."""
    op = layer.op
    windows = layer.output.elements // layer.filters
    if not isinstance(op, TransposeConv2D):
        return windows * prod(_size(layer))
    return prod(
        sum(0 <= place * stride + tap - before < size for place in range(length) for tap in range(taps))
        for length, size, taps, stride, before in zip(
            layer.input.shape[1:3], op.size, layer.kernel_size, op.stride, op.padding[::2], strict=True
        )
    )


def _depth(layer: Layer) -> int:
    return prod(layer.weights.shape[1:])


KERNEL = AnyConv2D()
