"""Depthwise convolutions that no faster kernel computes: several filters a channel, or gaps in the filters."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import row_bytes, rows
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import DepthwiseConv2D


class AnyDepthwise(Kernel):
    """DepthwiseConv2D, product by product; narrower weights take a byte each."""

    kind = "depthwise_general"
    dtypes = BOTH
    offsets = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Several filters a channel, gaps in the filters, int16, or weights with a zero point."""
        op = layer.op
        several = isinstance(op, DepthwiseConv2D) and layer.filters != layer.input.shape[3]
        other = layer.wide or layer.weight_offset != 0
        return isinstance(op, DepthwiseConv2D) and (several or op.dilation != (1, 1) or other)

    def weight_bytes(self, layer: Layer) -> int:
        """Filter by filter."""
        return row_bytes(layer.filters, prod(layer.kernel_size), 8)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Filter by filter."""
        return rows(weights.reshape(-1, layer.filters).T, 8)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, DepthwiseConv2D)
        _, height, width, channels = layer.input.shape
        return {
            "height": height,
            "width": width,
            "channels": channels,
            "multiplier": layer.filters // channels,
            "rows": layer.output.shape[1],
            "columns": layer.output.shape[2],
            "filters": layer.filters,
            "size": layer.kernel_size,
            "stride": op.stride,
            "dilation": op.dilation,
            "padding": op.padding,
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 800

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, products, rows of windows, outputs."""
        outputs = layer.output.elements
        return {"call": 1, "mac": layer.macs, "row": outputs * layer.kernel_size[0], "output": outputs}


KERNEL = AnyDepthwise()
