"""Softmax of int16: exponentials and reciprocals, interpolated linearly between the entries of tables.

Sources: ``SoftmaxInt16`` of TensorFlow Lite's reference kernels; ``gen_lut``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint
from mcubuild.ir.graph import Graph, Levels
from mcubuild.ir.ops.base import Unary

_STEPS: Final = 512
"""Of the tables, each for 128 neighbouring inputs."""


@dataclass(frozen=True)
class WideSoftmaxParameters:
    """Of WideSoftmax: differences times ``factor`` are places in the table of the exponential, in 10/65535."""

    factor: FixedPoint


@dataclass(frozen=True)
class WideSoftmax(Unary):
    """Softmax of beta * input over the last axis: int16 -> int16 output of the input's shape, scale 1/32768."""

    beta: float = 1.0

    def parameters(self, graph: Graph) -> WideSoftmaxParameters:
        """The factor of differences."""
        scale, _ = graph.scale(self.input)
        target = graph.scale(self.output)
        if target[1] != 0 or abs(target[0] - 1 / 32768) > 0.001 / 32768:
            raise ValueError(f"WideSoftmax: {self.output!r} must have scale 1/32768 and zero point 0")
        factor = FixedPoint.of(scale * self.beta / (10.0 / 65535.0))
        if factor.shift > 14:
            raise ValueError(f"WideSoftmax: beta {self.beta} times the scale {scale} of {self.input!r} is too large")
        return WideSoftmaxParameters(factor)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """In 1/32768."""
        (x,), derived = operands, self.parameters(graph)
        wide = x.astype(np.int64)
        distance = wide - wide.max(axis=-1, keepdims=True)
        scaled = derived.factor.times(distance)
        powers = _looked_up(exponential_table(), np.clip(scaled + 32767, -32768, 32767))
        total = powers.sum(axis=-1, keepdims=True)
        zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
        shifted = ((total << (zeros - 1)) + (1 << 13)) >> 14
        reciprocal = _looked_up(reciprocal_table(), np.clip(shifted - (1 << 15) - (1 << 16), -32768, 32767))
        right = 31 - zeros
        return np.asarray(np.clip((powers * reciprocal + (np.int64(1) << (right - 1))) >> right, 0, 32767), np.int64)


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


OPERATORS = (WideSoftmax,)
