"""Convolution of any shape: two output pixels' windows are copied side by side (im2col), then multiplied."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import pair_bytes, pairs
from mcubuild.engine.kernels.base import Kernel, loops, matrix_products
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import Conv2D


class GeneralConv2D(Kernel):
    """Conv2D with any filter size, stride and padding."""

    kind = "conv2d"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Conv2D without gaps in its filters."""
        return isinstance(layer.op, Conv2D) and layer.op.dilation == (1, 1)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """The windows of the pixels of a tile; if passes are not fused, their sums and the padded input."""
        return self._padded(layer) + _padded_bytes(layer, rows) * (not self.settings.fusion)

    def _windows(self, layer: Layer) -> int:
        """Where the windows begin in the scratch: behind the sums."""
        return 0 if self.settings.fusion else 4 * self.together * layer.filters

    def _padded(self, layer: Layer) -> int:
        """Where the padded input begins."""
        return self._windows(layer) + self.together * _depth(layer)

    def weight_bytes(self, layer: Layer) -> int:
        """Packed in pairs of filters."""
        return pair_bytes(layer.filters, _depth(layer), layer.weights.bits, self.together)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Pairs of filters, interleaved."""
        return pairs(weights.reshape(layer.filters, -1), layer.weights.bits, self.together)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, Conv2D)
        _, _, width, channels = layer.input.shape
        _, _, columns, filters = layer.output.shape
        return {
            "width": width,
            "channels": channels,
            "columns": columns,
            "filters": filters,
            "size": layer.kernel_size,
            "stride": op.stride,
            "padding": op.padding,
            "padded": any(op.padding),
            "depth": _depth(layer),
            "windows_at": self._windows(layer),
            "padded_at": self._padded(layer),
        }

    def code_bytes(self, layer: Layer) -> int:
        """The copy of windows, inlined or not, and tile loops as those of a pointwise convolution."""
        return self.passes_bytes + 1400 + 750 * loops(prod(layer.output.shape[1:3])) * loops(layer.filters)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """See ``matrix_products``; tiles of two pixels by two filters, outputs, bytes copied and their rows."""
        pixels = prod(layer.output.shape[1:3])
        return {
            **matrix_products(layer, pixels),
            "tile": -(-pixels // 2) * -(-layer.filters // 2),
            "output": layer.output.elements,
            "copy": pixels * _depth(layer),
            "row": pixels * layer.kernel_size[0],
            "call": 1,
        }


def _depth(layer: Layer) -> int:
    return prod(layer.weights.shape[1:])


def _padded_bytes(layer: Layer, rows: int | None) -> int:
    """Bytes of the input rows that ``rows`` output rows need, with their padding; 0 if there is none."""
    op = layer.op
    assert isinstance(op, Conv2D)
    _, _, width, channels = layer.input.shape
    span = layer.vertical.span(rows or layer.output.shape[1])
    return span * (width + sum(op.padding[2:])) * channels if any(op.padding) else 0


KERNEL = GeneralConv2D()
