"""What the kernels made of ``gather`` and ``product`` share: sums of four output pixels times two filters at a time.

A window of inputs consists of runs of bytes, one a row of the filter. ``gather`` writes the windows of four pixels as
pairs of 16-bit numbers, once for all filters; ``product`` multiplies them with two filters whose int8 weights share
16 bits as first + 256 * second. Such a number is multiplied as it is, and once more as the first weight alone, which
one instruction extracts for two inputs. The second sum is a 256th of the difference, exact while it fits 24 bits; where
it may not, it is taken, and begun again, after each _PART pairs of inputs. So weights take one byte in Flash and a
product costs what it would with weights of 16 bits.

Weights of 4 bits share a byte as second + 16 * first, and a word holds those of two pairs. One instruction widens a
pair's bytes to 16 bits, two round them to the first weights. The sums are those of both and of 16 * first: their
difference is the second's, exact whatever the inputs, so there are no parts.

Pairs hold the inputs (c0, c2) and (c1, c3) of four that lie side by side: as SXTB16 takes them from a word. Bytes that
are left over behind the last whole word of each run follow behind the words of all runs.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly import rounding
from mcubuild.engine.assembly.constants import Channels, Constants, Field, channels
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target

PIXELS = 4
"""Output pixels at a time."""
_REACH = {8: 2**23, 4: 2**27}
"""Sums that are known modulo 2**24, or of 4-bit weights modulo 2**28, stay below it."""
_PART = 256
"""Pairs of inputs whose sum stays below _REACH whatever the weights, without the bias: 512 * 128 * 127."""
_PART_BYTES = 124
"""Code that takes the second sums of a part."""
_STRAIGHT = 12
"""Pairs of inputs that are multiplied without a loop."""
_UNROLL = range(6, 13)
"""Pairs of inputs a turn of the loop: its code stays below 800 bytes."""
_TURN = 5
"""Cycles of a turn besides its 16 a pair: what padding to a longer turn is weighed against."""
_CHANNEL_WORDS = 4
"""Bias, multiplier, addend, shift."""


@dataclass(frozen=True)
class Depth:
    """The loop over a window's inputs."""

    pairs: int
    """Pairs of inputs, padded to whole turns."""
    unroll: int
    """Pairs a turn; 0: all of them without a loop."""
    bits: int
    """Of the weights."""

    @classmethod
    def of(cls, inputs: int, bits: int) -> "Depth":
        """The fastest loop over this many inputs, padded to fours."""
        pairs = 2 * ceil(inputs / 4)
        if pairs <= _STRAIGHT:
            return cls(pairs, 0, bits)
        turns, unroll = min(
            ((ceil(pairs / unroll), unroll) for unroll in _UNROLL),
            key=lambda way: (way[0] * (16 * way[1] + _TURN), way[1]),
        )
        return cls(turns * unroll, unroll, bits)

    @property
    def words(self) -> int:
        """Words of weights of two filters; a turn begins with a word."""
        turn = self.unroll or self.pairs
        return self.pairs // turn * ceil(turn * self.bits / 8)

    def routine(self, layer: Layer) -> Routine:
        """The routine that multiplies."""
        words = ("unroll", self.unroll) if self.unroll else ("straight", self.pairs)
        values, nbytes = variant(layer, words[1], _PART_BYTES)
        once = 56 if self.bits == 8 else 64
        return Routine("product", (words, *values), (366 if self.unroll else 330) + once * words[1] + nbytes)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of the gathered windows; a loop loads two words more than it multiplies."""
        return 4 * PIXELS * self.pairs + (8 if self.unroll else 0)


def gather(runs: int, run: int, lanes: int, step: int = PIXELS) -> Routine:
    """The routine that gathers windows of ``runs`` runs of ``run`` bytes: one, or four that follow each other.

    A window's pairs lie ``step`` words apart.
    """
    quads, rest = divmod(run, 4)
    once = 20 * (quads % 4) + (92 if quads >= 4 else 0) + 8 * rest + 2
    values = (("runs", runs), ("quads", quads), ("rest", rest), ("lanes", lanes), ("step", step))
    return Routine("gather", values, 36 + once * (runs if rest else 1))


def serves(layer: Layer, target: Target) -> bool:
    """Whether the core has the instructions, and the layer's numbers, if it has any, stay in range."""
    if not (target.assembly and layer.weights.bits in _REACH):
        return False
    if layer.weighted.weights not in layer.graph.constants:
        return True
    form = rounding.short_form(channels(layer))
    return form is not None and (layer.weights.bits == 8 or not _split(form, layer.weights.bits))


def variant(layer: Layer, turn: int, nbytes: int) -> tuple[tuple[tuple[str, int], ...], int]:
    """What a routine must know of the weights, and the bytes of code that this adds.

    Either that they have 4 bits, or how many pairs of inputs are a part; of skeletons there are no parts. Trained
    weights seldom need them, and parts take few cycles.

    Args:
        layer: one that is served.
        turn: pairs of inputs a turn of the routine's loop.
        nbytes: of code.
    """
    if layer.weights.bits == 4:
        return (("bits", 4),), 0
    if layer.weighted.weights not in layer.graph.constants:
        return (), 0
    form = rounding.short_form(channels(layer))
    assert form is not None, "serves"
    return ((("part", _PART // turn * turn),), nbytes) if _split(form, 8) else ((), 0)


def _split(form: rounding.ShortForm, bits: int) -> bool:
    """Whether sums may leave the bits that are known of them."""
    return bool(form.reach.max() >= _REACH[bits])


def stream_bytes(filters: int, words: int, group: int) -> int:
    """Bytes of ``stream``, of ``words`` words of weights for each two filters."""
    return 4 * ceil(filters / group) * group // 2 * (words + 2 * _CHANNEL_WORDS)


def stream(numbers: Channels, windows: NDArray[np.int8], depth: Depth, group: int) -> Constants:
    """Filters in groups of two or four, as the routines read them; the last group overlaps the one before it.

    A group is: for each two filters the bias of the first, and that + 256 * the bias of the second (in parts, the
    second's alone), or with 4 bits 16 * the bias of the first, and that + the bias of the second; word by word, the
    weights of each two filters; for each filter multiplier, addend and shift.

    Args:
        numbers: of the layer.
        windows: weights, int8 (filters, runs, bytes a run).
        depth: the loop over them.
        group: filters at a time.
    """
    form = rounding.short_form(numbers)
    assert form is not None, "serves"
    count, runs, run = windows.shape
    whole = run // 4 * 4
    flat = np.zeros((count, ceil(depth.pairs / 2) * 4), np.int64)
    flat[:, : runs * run] = np.concatenate(
        [windows[:, :, :whole].reshape(count, -1), windows[:, :, whole:].reshape(count, -1)], axis=1
    )
    start = np.minimum(np.arange(0, count, group), max(count - group, 0))
    members = np.minimum(start[:, None] + np.arange(group), count - 1)
    first, second = members[:, 0::2], members[:, 1::2]
    # (groups, couples, pairs of inputs): the low and the high half of a word
    fours = flat.reshape(count, -1, 2, 2).swapaxes(2, 3)
    low, high = np.moveaxis(fours.reshape(count, -1, 2)[:, : depth.pairs], 2, 0)
    if depth.bits == 4:
        joined = [(half[second] + 16 * half[first]) & 0xFF for half in (low, high)]
        turns = (joined[0] | joined[1] << 16).reshape(*first.shape, -1, depth.unroll or depth.pairs)
        padded = np.concatenate([turns, np.zeros_like(turns[..., : turns.shape[-1] % 2])], axis=-1)
        words = (padded[..., 0::2] | padded[..., 1::2] << 8).reshape(*first.shape, -1)
        begin = 16 * form.bias[first]
        both = begin + form.bias[second]
    else:
        joined = [(half[first] + 256 * half[second]) & 0xFFFF for half in (low, high)]
        words = joined[0] | joined[1] << 16
        begin = form.bias[first]
        both = form.bias[second] if _split(form, 8) else begin + 256 * form.bias[second]
    groups = [
        np.stack([begin, both], axis=2).reshape(len(start), -1),
        words.transpose(0, 2, 1).reshape(len(start), -1),
        form.factors[members].reshape(len(start), -1),
    ]
    values = (np.concatenate(groups, axis=1).ravel() & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return Constants(f"stream_{len(values)}", (Field("int32_t", "stream", values),))


def work(tiles: int, filters: int, depth: Depth) -> dict[str, int]:
    """Features of the cost of ``product``: pairs of inputs, turns of its loop, pairs of filters, tiles of 4 pixels."""
    couples = tiles * ceil(filters / 2)
    return {
        "pair" if depth.bits == 8 else f"pair{depth.bits}": couples * depth.pairs,
        "turn": couples * depth.pairs // depth.unroll if depth.unroll else 0,
        "couple": couples,
        "tile": tiles,
        "call": 1,
    }
