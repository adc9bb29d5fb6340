"""Depthwise convolution, one channel at a time: copied into a bordered plane, convolved from there.

As the copy is made before anything is written, and as a channel's outputs lie only where that channel's inputs lay
(addresses that are equal modulo the number of channels), the output may be written over the input, whatever stride and
padding are: the peak is N + 1 channels instead of 2 N (MCUNet, section 3.2).
"""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import row_bytes, rows
from mcubuild.engine.kernels.base import Kernel, products
from mcubuild.engine.layer import ALIGNMENT, Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import DepthwiseConv2D


class Depthwise(Kernel):
    """DepthwiseConv2D with any filter size, stride and padding."""

    kind = "depthwise"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every DepthwiseConv2D with one filter a channel and without gaps in the filters."""
        op = layer.op
        return isinstance(op, DepthwiseConv2D) and op.dilation == (1, 1) and layer.filters == layer.input.shape[3]

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """One channel of the input rows, with its border; if passes are not fused, its sums and the padded input."""
        count = rows or layer.output.shape[1]
        plane = layer.vertical.span(count) * _plane_width(layer)
        if self.settings.fusion:
            return plane
        assert isinstance(layer.op, DepthwiseConv2D)
        padded = plane * layer.filters if any(layer.op.padding) else 0
        return 4 * count * layer.output.shape[2] + plane + padded

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input, unless aligning the end of a smaller output with the input's would mix the channels up."""
        same = layer.input.elements == layer.output.elements
        return (layer.input.name,) if same or layer.input.shape[3] % ALIGNMENT == 0 else ()

    def weight_bytes(self, layer: Layer) -> int:
        """Filter by filter."""
        return row_bytes(layer.filters, prod(layer.kernel_size), layer.weights.bits)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Filter by filter."""
        return rows(weights.reshape(-1, layer.filters).T, layer.weights.bits)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes, and how many neighbouring outputs are computed at once."""
        op = layer.op
        assert isinstance(op, DepthwiseConv2D)
        _, _, width, channels = layer.input.shape
        columns = layer.output.shape[2]
        return {
            "width": width,
            "channels": channels,
            "columns": columns,
            "size": layer.kernel_size,
            "stride": op.stride,
            "padding": op.padding,
            "padded": any(op.padding),
            "plane_width": _plane_width(layer),
            "tile_size": self._tile(columns),
            "packed": row_bytes(1, prod(layer.kernel_size), layer.weights.bits),
        }

    def _tile(self, columns: int) -> int:
        """Neighbouring outputs computed at once: 4, or what leaves less of the row over."""
        sizes = (4, 3, 2) if self.settings.tiling and columns > 1 else (1,)
        return min(sizes, key=lambda tile: (-(-columns // tile) * (tile + 2), -tile))

    def code_bytes(self, layer: Layer) -> int:
        """The copy into the plane, one tile, and another for what is left over of a row."""
        columns = layer.output.shape[2]
        return self.passes_bytes + 850 + 700 * (1 if columns % self._tile(columns) == 0 else 2)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products, tiles and the rows of their windows, outputs, bytes copied."""
        _, rows, columns, channels = layer.output.shape
        tiles = rows * -(-columns // self._tile(columns)) * channels
        return {
            products(layer): layer.macs,
            "tile": tiles,
            "row": tiles * layer.kernel_size[0],
            "output": layer.output.elements,
            "copy": layer.input.elements,
            "call": 1,
        }


def _plane_width(layer: Layer) -> int:
    """Width of a channel with its border."""
    op = layer.op
    assert isinstance(op, DepthwiseConv2D)
    return layer.input.shape[2] + op.padding[2] + op.padding[3]


KERNEL = Depthwise()
