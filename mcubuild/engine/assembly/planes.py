"""How fast depthwise kernels hold their inputs: four channels at a time, each a plane of words of two values.

Inputs of four channels are loaded as words and unpacked into planes in the scratch, with their padding: a strip of
rows at a time, from which the outputs of the strip are computed, channel by channel. The lines that the next strip
needs once more stay in the planes. So a strip's inputs are not needed any more when its outputs are written, and these
may be written over the input: strips go down if the output begins at or before the input, and up if it ends where the
input does. Either way they lie behind what is still to be read.

A word holds two values: of two rows (``kernels.depthwise_rows``) or of two columns (``kernels.depthwise_columns``). So
does a word of weights; of those of 4 bits, a word in Flash holds four such words, which the inner loops widen when they
begin a strip of a channel.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly import rounding
from mcubuild.engine.assembly.constants import Channels, channels
from mcubuild.engine.layer import ALIGNMENT, Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import DepthwiseConv2D

CHANNELS = 4
"""Channels at a time."""
SCRATCH = 4096
"""Bytes that a strip may take, if it has more than two rows of outputs."""
OFFSET = 4095
"""The largest offset in a load or an addition."""
_PACKED = 4
"""Words of 4-bit weights that are one word in Flash."""
_FLOATS = 28
"""Words of weights: as many as floating-point registers hold besides what else is used all the time."""


@dataclass(frozen=True)
class Planes:
    """The planes of a layer."""

    words: int
    """Words a line."""
    left: int
    """Words before those of a line's first pixel."""
    rows: int
    """Input rows a line."""
    strip: int
    """Rows of outputs a strip, an even number."""
    size: int
    """Rows of a window."""
    stride: int

    def lines(self, rows: int) -> int:
        """Lines that the windows of ``rows`` rows of outputs need, a strip at most."""
        return ceil(((min(rows, self.strip) - 1) * self.stride + self.size) / self.rows)

    @property
    def advance(self) -> int:
        """Lines from one strip to the next."""
        return self.strip * self.stride // self.rows

    def nbytes(self, rows: int) -> int:
        """Bytes of scratch."""
        return 4 * CHANNELS * self.words * self.lines(rows)

    def code_bytes(self, rows: int) -> int:
        """Bytes of the loops over channels, strips and lines: compilers unroll the move of lines between strips."""
        return 850 if rows <= self.strip else 1350


def planes(layer: Layer, words: int, left: int, rows: int) -> Planes:
    """The planes of ``layer``: as many rows of outputs a strip as fit SCRATCH bytes, at least two.

    Args:
        layer: a depthwise convolution.
        words: words a line.
        left: words before those of a line's first pixel.
        rows: input rows a line.
    """
    op = layer.op
    assert isinstance(op, DepthwiseConv2D)

    def of(strip: int) -> Planes:
        return Planes(words, left, rows, strip, layer.kernel_size[0], op.stride[0])

    most = 2 * ceil(layer.output.shape[1] / 2)
    fitting = [strip for strip in range(4, most + 1, 2) if of(strip).nbytes(strip) <= SCRATCH]
    return of(max(fitting, default=2))


def serves(layer: Layer, target: Target) -> bool:
    """Whether the core has the instructions and registers, and the layer's numbers, if it has any, stay in range.

    Layers have one filter a channel, without gaps.
    """
    op = layer.op
    if not (target.assembly and target.fpu and isinstance(op, DepthwiseConv2D)):
        return False
    if op.dilation != (1, 1) or layer.filters != layer.input.shape[3]:
        return False
    if layer.weights.bits not in (8, 4) or layer.filters < CHANNELS or 4 * layer.filters > OFFSET:
        return False
    if layer.weighted.weights not in layer.graph.constants:
        return True
    return rounding.short_form(channels(layer)) is not None


def fits(weight_words: int, largest_offset: int) -> bool:
    """Whether the weights fit the registers, and distances in the planes the instructions."""
    return weight_words <= _FLOATS and largest_offset <= OFFSET


def weight_words(layer: Layer, words: int) -> int:
    """Words in Flash that a channel's ``words`` words of weights take."""
    return words if layer.weights.bits == 8 else ceil(words / _PACKED)


def packed(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of 4-bit weights, int64 (channels, words) each, as they lie in Flash: int64 (channels, ceil(words / 4))."""
    count, words = first.shape
    nibbles = np.zeros((count, ceil(words / _PACKED), 2, _PACKED), np.int64)
    for half, values in enumerate((first, second)):
        padded = np.pad(values & 0xF, ((0, 0), (0, -words % _PACKED)))
        nibbles[:, :, half] = padded.reshape(count, -1, _PACKED)
    shifts = 4 * np.arange(2 * _PACKED).reshape(2, _PACKED)
    return np.asarray((nibbles << shifts).sum(axis=(2, 3)))


def variant(layer: Layer, words: int) -> tuple[tuple[tuple[str, int], ...], int]:
    """What a routine must know of a channel's ``words`` words of weights, and the bytes of code that this adds."""
    return ((), 0) if layer.weights.bits == 8 else ((("bits", 4),), 30 + 18 * words)


def widened(layer: Layer, words: int, strips: int) -> int:
    """Words of weights that are widened, of ``words`` for each of ``strips`` strips of channels."""
    return 0 if layer.weights.bits == 8 else strips * words


def overwrites(layer: Layer) -> tuple[str, ...]:
    """The input, unless the output is larger, or its end aligned with the input's would mix the channels up."""
    wide = layer.output.shape[2] > layer.input.shape[2] or layer.output.shape[1] > layer.input.shape[1]
    same = layer.input.elements == layer.output.elements
    aligned = same or layer.filters % ALIGNMENT == 0
    return (layer.op.input,) if isinstance(layer.op, DepthwiseConv2D) and aligned and not wide else ()


def stream(
    numbers: Channels, weights: NDArray[np.int64], extra: list[NDArray[np.int64]], offset: int = 0
) -> NDArray[np.int32]:
    """Channel by channel what the inner loops read: weights, ``extra``, twice the bias, multiplier, addend, shift.

    Args:
        numbers: of the layer.
        weights: int64 (channels, words).
        extra: words before the bias, int64 (channels,) each.
        offset: what is subtracted from twice the bias.
    """
    form = rounding.short_form(numbers)
    assert form is not None, "serves"
    columns = [
        *weights.T,
        *extra,
        2 * form.bias - offset,
        form.multiplier,
        form.addend,
        form.shift,
    ]
    words = np.stack(columns, axis=1)
    return (words & 0xFFFFFFFF).astype(np.uint32).view(np.int32).ravel()


def limits(layer: Layer) -> tuple[tuple[str, int], ...]:
    """How far the layer's clamp lies inside of int8: names and numbers of a routine."""
    assert isinstance(layer.op, DepthwiseConv2D)
    low, high = layer.op.clamp
    return ("raised", low + 128), ("lowered", 127 - high)


def limit_bytes(layer: Layer) -> tuple[int, int]:
    """Bytes of code that clamping four outputs takes, and two."""
    sides = sum(distance > 0 for _, distance in limits(layer))
    return 36 * sides, 20 * sides
