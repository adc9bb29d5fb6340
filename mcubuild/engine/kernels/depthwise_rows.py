"""Depthwise convolution with the DSP extension on words of two rows: 3x3, and any size with stride 2.

A word holds what two neighbouring rows have in a column, so that one instruction multiplies it with two weights of a
column. Blocks of two rows and two columns of outputs share the words and, in floating-point registers, the weights.
"""

from collections.abc import Mapping
from math import ceil

import numpy as np

from mcubuild.engine.assembly import planes
from mcubuild.engine.assembly.constants import Channels, Constants, Field
from mcubuild.engine.assembly.planes import CHANNELS, Planes
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import DepthwiseConv2D

_SHAPES = {((1, 1), 3), *(((2, 2), size) for size in range(2, 8))}
"""Strides and sizes."""
_CONSTANTS = 4
"""Words of a channel besides its weights."""


class DepthwiseRows(Kernel):
    """DepthwiseConv2D of 3x3 with stride 1, of 2x2 to 7x7 with stride 2."""

    kind = "depthwise_rows"
    family = "depthwise"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Square filters, 3x3 or with stride 2."""
        if not planes.serves(layer, target):
            return False
        size, stride = _shape(layer)
        words = _planes(layer).words
        if layer.kernel_size != (size, size) or (stride, size) not in _SHAPES:
            return False
        last = 4 * max(4 * (layer.output.shape[2] // 2), words * ceil((size + 1) / 2) + size + 4)
        return planes.fits(size * ceil(size / 2), last)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """Planes of four channels."""
        return _planes(layer).nbytes(rows or layer.output.shape[1])

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input, if there is room for the output."""
        return planes.overwrites(layer)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Columns of weights, in pairs: with stride 1, those of rows 0 and 1 and of rows 1 and 2."""
        size, stride = _shape(layer)
        padded = np.zeros((layer.filters, 2 * ceil(size / 2), size), np.int64)
        padded[:, :size] = channels.weights[0].transpose(2, 0, 1)
        rows = np.array((0, 1) if stride == (1, 1) else range(0, size, 2))
        first, second = (padded[:, which].swapaxes(1, 2).reshape(layer.filters, -1) for which in (rows, rows + 1))
        pairs = (2 * first & 0xFFFF) | 2 * second << 16 if layer.weights.bits == 8 else planes.packed(first, second)
        values = planes.stream(channels, pairs, [])
        return Constants(f"stream_{len(values)}", (Field("int32_t", "stream", values),))

    def constant_bytes(self, layer: Layer) -> int:
        """Words of all channels."""
        return 4 * layer.filters * _channel_words(layer)

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Gather, convolve."""
        size, stride = _shape(layer)
        columns = layer.output.shape[2]
        values = (
            ("columns", columns),
            ("channels", layer.filters),
            ("words", _planes(layer).words),
            *planes.limits(layer),
        )
        block, last = planes.limit_bytes(layer)
        words = size * ceil(size / 2)
        width, widening = planes.variant(layer, words)
        if stride == (2, 2):
            code = 250 + 30 * words + block + (72 + 17 * words + last) * (columns % 2)
            convolve = Routine("depthwise_stride2", (("size", size), *values, *width), code + widening)
        else:
            code = 90 + (260 + block) * min(columns // 2, 2) + (144 + last) * (columns % 2)
            convolve = Routine("depthwise_3x3", (*values, *width), code + widening)
        return Routine("row_pairs", (), 230), convolve

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and routines."""
        op = layer.op
        assert isinstance(op, DepthwiseConv2D)
        gather, convolve = self.routines(layer)
        return {
            "planes": _planes(layer),
            "width": layer.input.shape[2],
            "channels": layer.filters,
            "columns": layer.output.shape[2],
            "words": _channel_words(layer),
            "gather": gather.name,
            "convolve": convolve.name,
        }

    def code_bytes(self, layer: Layer) -> int:
        """The loops over channels, strips and lines."""
        return _planes(layer).code_bytes(layer.output.shape[1])

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products of two weights, blocks of outputs, rows of blocks, strips, words widened; lines and bytes copied."""
        size, stride = _shape(layer)
        _, rows, columns, channels = layer.output.shape
        place = _planes(layer)
        pairs = ceil(rows / 2) * channels
        blocks = pairs * columns / 2
        groups, strips = ceil(channels / CHANNELS), ceil(rows / place.strip)
        lines = groups * ceil(((rows - 1) * stride[0] + size) / 2)
        return {
            "product": round(4 * blocks * size * ceil(size / 2)),
            "block": round(blocks),
            "row": pairs,
            "strip": strips * channels,
            "widen": planes.widened(layer, size * ceil(size / 2), strips * channels),
            "line": lines,
            "copy": lines * 2 * CHANNELS * layer.input.shape[2],
            "call": 1,
        }


def _shape(layer: Layer) -> tuple[int, tuple[int, int]]:
    """Height of the filters, strides."""
    op = layer.op
    assert isinstance(op, DepthwiseConv2D)
    return layer.kernel_size[0], op.stride


def _planes(layer: Layer) -> Planes:
    op = layer.op
    assert isinstance(op, DepthwiseConv2D)
    left, width = op.padding[2], layer.input.shape[2]
    words = max(left + width, (layer.output.shape[2] - 1) * op.stride[1] + layer.kernel_size[1])
    return planes.planes(layer, words, left, rows=2)


def _channel_words(layer: Layer) -> int:
    size = layer.kernel_size[0]
    return planes.weight_words(layer, size * ceil(size / 2)) + _CONSTANTS


KERNEL = DepthwiseRows()
