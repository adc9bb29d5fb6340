"""Depthwise convolution with the DSP extension on words of two columns: stride 1, two outputs in one 64-bit product.

With X = 2**21, (a + b X) (v + u X) = a v + (a u + b v) X + b u X**2: a word of two neighbouring inputs a and b times
two neighbouring weights u and v. The middle field of the sums over a window is the output of the window that begins at
a word; the lowest field and, of the word before, the highest one add up to that of the window in between. So one SMLAL
does four products, three and a half on average.

A field holds sums of at most 64 products of int8 numbers: 64 * 2**14 = 2**20. What is added to the lower two fields at
first, 2**20, keeps them from borrowing from the next. The upper input of a word is gathered plus 128, as that takes an
instruction less; what this adds to the upper fields is subtracted at first.
"""

from collections.abc import Mapping
from math import ceil, prod

import numpy as np

from mcubuild.engine.assembly import planes
from mcubuild.engine.assembly.constants import Channels, Constants, Field
from mcubuild.engine.assembly.planes import CHANNELS, Planes
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import DepthwiseConv2D

FIELD = 21
"""Bits of a field."""
_TERMS = 64
"""Products that a field holds the sum of."""
_HALF = 1 << (FIELD - 1)
_CONSTANTS = 6
"""Words of a channel besides its weights."""


class DepthwiseColumns(Kernel):
    """DepthwiseConv2D with stride 1 and filters of up to 7x7."""

    kind = "depthwise_columns"
    family = "depthwise"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Stride 1, filters that fit the registers and the fields."""
        if not planes.serves(layer, target):
            return False
        op = layer.op
        assert isinstance(op, DepthwiseConv2D)
        rows, depth, words = layer.kernel_size[0], _place(layer)[1], _planes(layer).words
        return (
            op.stride == (1, 1)
            and layer.kernel_size[1] > 1
            and prod(layer.kernel_size) <= _TERMS
            and planes.fits(rows * depth, 4 * (max(rows, 2) * words + depth))
        )

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """Planes of four channels."""
        return _planes(layer).nbytes(rows or layer.output.shape[1])

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input, if there is room for the output."""
        return planes.overwrites(layer)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Rows of weights in pairs, and what the sums begin with."""
        lead, depth = _place(layer)
        rows, columns = layer.kernel_size
        padded = np.zeros((layer.filters, rows, 2 * depth), np.int64)
        padded[:, :, lead : lead + columns] = channels.weights[0].transpose(2, 0, 1)
        even, odd = padded[:, :, 0::2], padded[:, :, 1::2]
        first, second = (half.reshape(layer.filters, -1) for half in (odd, even))
        pairs = first + (second << FIELD) if layer.weights.bits == 8 else planes.packed(first, second)
        # The highest field may make the number negative; its bits are those of two words.
        middle = _HALF - 128 * odd.sum(axis=(1, 2))
        start = _HALF + (middle << FIELD) - (128 * even.sum(axis=(1, 2)) << 2 * FIELD)
        values = planes.stream(channels, pairs, [start & 0xFFFFFFFF, start >> 32], offset=2 * _HALF)
        return Constants(f"stream_{len(values)}", (Field("int32_t", "stream", values),))

    def constant_bytes(self, layer: Layer) -> int:
        """Words of all channels."""
        return 4 * layer.filters * _channel_words(layer)

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Gather, convolve."""
        rows, depth, columns = layer.kernel_size[0], _place(layer)[1], layer.output.shape[2]
        width, widening = planes.variant(layer, rows * depth)
        values = (
            ("size", rows),
            ("depth", depth),
            ("columns", columns),
            ("channels", layer.filters),
            ("words", _planes(layer).words),
            *planes.limits(layer),
            *width,
        )
        once = 4 * depth * (4 * rows + 1)
        code = 350 + planes.limit_bytes(layer)[0] + once * (1 if columns % 2 else 2) + widening
        return Routine("column_pairs", (), 180), Routine("depthwise_twins", values, code)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and routines."""
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
        """Products of two words, blocks of outputs, rows of blocks, strips, words widened; lines and bytes copied."""
        _, rows, columns, channels = layer.output.shape
        place = _planes(layer)
        pairs = ceil(rows / 2) * channels
        groups, strips = ceil(channels / CHANNELS), ceil(rows / place.strip)
        lines = groups * (rows - 1 + layer.kernel_size[0])
        return {
            "product": 2 * pairs * (columns // 2 + 1) * layer.kernel_size[0] * _place(layer)[1],
            "block": pairs * ceil(columns / 2),
            "row": pairs,
            "strip": strips * channels,
            "widen": planes.widened(layer, layer.kernel_size[0] * _place(layer)[1], strips * channels),
            "line": lines,
            "copy": lines * CHANNELS * layer.input.shape[2],
            "call": 1,
        }


def _place(layer: Layer) -> tuple[int, int]:
    """Zero weights before a row's first one, and words of weights a row.

    Words of inputs begin at pixels of even number. Of an odd number of columns, the first window should begin at a
    word; of an even number the second: then blocks of two outputs take all of them.
    """
    left, begin = _left(layer)
    lead = begin - left - (layer.output.shape[2] % 2 == 0)
    return lead, ceil((lead + layer.kernel_size[1]) / 2)


def _left(layer: Layer) -> tuple[int, int]:
    """Columns of padding, and columns before the first pixel in the planes, an even number."""
    op = layer.op
    assert isinstance(op, DepthwiseConv2D)
    left = op.padding[2]
    return left, 2 * ceil((left + (layer.output.shape[2] % 2 == 0)) / 2)


def _planes(layer: Layer) -> Planes:
    begin = _left(layer)[1] // 2
    words = max(layer.output.shape[2] // 2 + _place(layer)[1], begin + ceil(layer.input.shape[2] / 2))
    return planes.planes(layer, words, begin, rows=1)


def _channel_words(layer: Layer) -> int:
    return planes.weight_words(layer, layer.kernel_size[0] * _place(layer)[1]) + _CONSTANTS


KERNEL = DepthwiseColumns()
