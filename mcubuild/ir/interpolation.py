"""Functions of int16, interpolated linearly between the entries of small tables: sigmoids and softmax.

Sources: the 16-bit ``Logistic`` and ``Tanh`` of TensorFlow Lite's reference kernels, ``SoftmaxInt16``, ``gen_lut``.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import requantize
from mcubuild.ir.graph import Levels, Sigmoid
from mcubuild.ir.parameters import SigmoidParameters, WideSoftmaxParameters

_STEPS: Final = 512
"""Of the tables of softmax, each for 128 neighbouring inputs."""


@cache
def sigmoid_table() -> tuple[int, ...]:
    """Logistic function of i / 24 in 1/65536, for i in 0 ... 255, raised by half of what interpolation lacks midway.

    The last entry is the largest number of 16 bits.
    """

    def exact(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return 65536 / (1 + np.exp(-x / 24))

    index = np.arange(255, dtype=np.float64)
    lacking = exact(index + 0.5) - (exact(index) + exact(index + 1)) / 2
    return (*np.floor(exact(index) + lacking / 2 + 0.5).astype(int).tolist(), 65535)


def sigmoid(op: Sigmoid, x: Levels, derived: SigmoidParameters) -> NDArray[np.int64]:
    """Logistic function or hyperbolic tangent of x, in 1/32768; tanh(x) = 2 logistic(2 x) - 1."""
    table = np.array(sigmoid_table(), np.int64)
    half = (1 << derived.shift) >> 1
    place = (x.astype(np.int64) * derived.multiplier + half) >> derived.shift
    bits = 9 if op.function == "logistic" else 8
    index, rest = np.abs(place) >> bits, np.abs(place) & ((1 << bits) - 1)
    low = table[np.minimum(index, 254)]
    between = (low << bits) + rest * (table[np.minimum(index, 254) + 1] - low)
    if op.function == "logistic":
        value = np.where(index >= 255, 0x7FFF << 10, between)
        return np.asarray(np.where(place >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1) >> 10, np.int64)
    value = np.where(index >= 255, 0xFFFF << 8, between) - (1 << 23)
    return np.asarray(np.where(place >= 0, value + (1 << 7), -value + (1 << 7) - 1) >> 8, np.int64)


@cache
def exponential_table() -> tuple[int, ...]:
    """Exp from -10 to 0 in 1/32768."""
    return _table(lambda x: np.exp(x.astype(np.float64)).astype(np.float32), -10.0, 0.0)


@cache
def reciprocal_table() -> tuple[int, ...]:
    """1 / (1 + x) from 0 to 1 in 1/32768."""
    return _table(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0)


def _table(function: Callable[[NDArray[np.float32]], NDArray[np.float32]], low: float, high: float) -> tuple[int, ...]:
    """Entries that halve the error in the middle between two of them; all in float32, for the same bits."""
    step = np.float32((high - low) / _STEPS)
    index = np.arange(_STEPS, dtype=np.float32)
    scale = np.float32(32768)
    begin, end = (function(np.float32(low) + (index + np.float32(k)) * step) * scale for k in (0, 1))
    middle = _rounded(function(np.float32(low) + index * step + step / np.float32(2)) * scale)
    error = _rounded((end + _rounded(begin)) / np.float32(2)) - middle
    last = _rounded(function(np.array([high], np.float32)) * scale)
    entries = np.concatenate([_rounded(begin) - _rounded(error / np.float32(2)), last])
    return tuple(np.clip(entries, -32768, 32767).astype(int).tolist())


def _rounded(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """To the nearest integer, ties away from zero."""
    return np.copysign(np.floor(np.abs(x) + np.float32(0.5)), x).astype(np.float32)


def _looked_up(table: tuple[int, ...], x: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table's value at x, int16."""
    entries = np.array(table, np.int64)
    index = 256 + (x >> 7)
    base = entries[index]
    return np.asarray(base + (((entries[index + 1] - base) * (x & 127) + 64) >> 7), np.int64)


def probabilities(x: Levels, derived: WideSoftmaxParameters) -> NDArray[np.int64]:
    """Softmax over the last axis of x, int16, in 1/32768."""
    wide = x.astype(np.int64)
    distance = wide - wide.max(axis=-1, keepdims=True)
    scaled = requantize(distance, derived.factor.multiplier, derived.factor.shift)
    powers = _looked_up(exponential_table(), np.clip(scaled + 32767, -32768, 32767))
    total = powers.sum(axis=-1, keepdims=True)
    zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    shifted = ((total << (zeros - 1)) + (1 << 13)) >> 14
    reciprocal = _looked_up(reciprocal_table(), np.clip(shifted - (1 << 15) - (1 << 16), -32768, 32767))
    right = 31 - zeros
    return np.asarray(np.clip((powers * reciprocal + (np.int64(1) << (right - 1))) >> right, 0, 32767), np.int64)
