"""Scales: of activations from their ranges, of weights and biases from their values."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import INT8, Clamp, Quantization

Floats = NDArray[np.float64]

_NOTHING: Final = 1e-6
"""Ranges below are those of dead tensors."""
_LARGEST_BIAS: Final = 1 << 28
"""Leaves room for every sum of products below 2**30, where the generated C has its shortest rescaling."""
_SMALLEST_RATIO: Final = 2.0**-16
"""Of a channel's scale to the layer's largest."""
_CLIPS: Final = np.linspace(0.3, 1.0, 71)
"""Candidates for the largest weight that 4 bits represent, as shares of the channel's largest."""


@dataclass(frozen=True)
class QuantizedWeights:
    """Integers and scales of one layer; output channels come first."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    scales: tuple[float, ...]
    """Of the weights, one a channel."""


def activation(low: float, high: float, limits: Clamp = INT8) -> Quantization:
    """Scale and zero point for values from ``low`` to ``high``, and 0, which has an integer of its own.

    ``limits``: the smallest and the largest integer.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _NOTHING:
        high = low + 1.0  # a tensor that is always 0: any scale will do
    least, most = limits
    scale = float(np.float32((high - low) / (most - least)))
    return Quantization((scale,), int(np.clip(np.round(least - low / scale), least, most)))


def weighted(weights: Floats, bias: Floats, scales: Floats, input_scale: float, bits: int) -> QuantizedWeights:
    """Weights and bias of one layer as integers.

    Args:
        weights: (channels, ...).
        bias: (channels,).
        scales: of the weights (channels,); 0 for channels of zeros.
        input_scale: of the layer's input.
        bits: of the weights, 8 or 4.
    """
    # Channels with next to no weights take a coarser scale: it must not underflow, and the bias must fit its integer.
    finest = scales.max() * _SMALLEST_RATIO if scales.any() else 1.0
    scales = np.maximum(scales, np.maximum(finest, np.abs(bias) / (input_scale * _LARGEST_BIAS)))
    scales = scales.astype(np.float32).astype(np.float64)
    return QuantizedWeights(
        weights=rounded(weights, scales, bits).astype(np.int8),
        bias=np.round(bias / (input_scale * scales)).astype(np.int32),
        scales=tuple(scales.tolist()),
    )


def channel_scales(weights: Floats, bits: int) -> Floats:
    """Scale (channels,) of each channel of ``weights`` (channels, ...); 0 for channels of zeros.

    8 bits: the channel's largest weight is the largest integer. 4 bits: of scales that clip more and more of the
    largest weights, the one whose integers are nearest to the weights by squared error.
    """
    others = tuple(range(1, weights.ndim))
    widest: Floats = np.abs(weights).max(axis=others) / largest(bits)
    if bits == 8:
        return widest
    best, least = widest, np.full(len(weights), np.inf)
    for clip in _CLIPS:
        scales = clip * widest
        error = np.square(rounded(weights, scales, bits) * _along(scales, weights) - weights).sum(axis=others)
        best, least = np.where(error < least, scales, best), np.minimum(error, least)
    return best


def rounded(weights: Floats, scales: Floats, bits: int) -> Floats:
    """The integers, as floats, nearest to ``weights`` (channels, ...) at ``scales`` (channels,)."""
    divisors = _along(np.where(scales > 0, scales, 1.0), weights)
    return np.clip(np.round(weights / divisors), -largest(bits), largest(bits))


def _along(scales: Floats, weights: Floats) -> Floats:
    """``scales`` shaped to multiply ``weights`` channel by channel."""
    return scales.reshape(-1, *(1,) * (weights.ndim - 1))


def largest(bits: int) -> int:
    """The largest integer of symmetric weights; the smallest is its negative."""
    return (1 << (bits - 1)) - 1
