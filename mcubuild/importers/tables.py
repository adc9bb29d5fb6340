"""Functions of one int8 as tables of their 256 values, each with TensorFlow Lite Micro's own arithmetic.

A table is int8 (256,); entry i belongs to the input i - 128.
"""

from math import floor, frexp
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import quantize_multiplier, requantize, rounding_divide
from mcubuild.ir.graph import Quantization
from mcubuild.ir.transcendental import inverse_root as fixed_inverse_root
from mcubuild.ir.transcendental import logistic as fixed_logistic
from mcubuild.ir.transcendental import tanh as fixed_tanh

Table: TypeAlias = NDArray[np.int8]
_INPUTS = np.arange(-128, 128, dtype=np.int64)


def requantized(x: Quantization, y: Quantization) -> Table:
    """The same real number at another scale (``Requantize``)."""
    return _saturated(_rescaled(x, x.scale[0] / y.scale[0]) + y.zero_point)


def clamped(x: Quantization, y: Quantization, low: float, high: float | None, single: bool = False) -> Table:
    """Requantised, then limited to [low, high] (``ReluQuantized``).

    ``single``: by a factor of float32, as LiteRT has it for networks of uint8.
    """
    precision = np.float32 if single else np.float64
    values = _rescaled(x, float(precision(x.scale[0]) / precision(y.scale[0]))) + y.zero_point
    return np.clip(values, *y.clamp(low, high)).astype(np.int8)


def elu(x: Quantization, y: Quantization) -> Table:
    """exp(x) - 1 below zero, in float32 (``PopulateLookupTable``)."""
    real = np.float32(x.scale[0]) * (_INPUTS - x.zero_point).astype(np.float32)
    power = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32)
    inverse = np.float32(1) / np.float32(y.scale[0])
    scaled = (np.where(real < 0, power - np.float32(1), real) * inverse).astype(np.float64)
    return _saturated((np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) + y.zero_point).astype(np.int64))


def absolute(x: Quantization, y: Quantization) -> Table:
    """Distance to zero (``AbsEvalQuantized``)."""
    return _saturated(_rescaled(x, x.scale[0] / y.scale[0], np.abs(_INPUTS - x.zero_point)) + y.zero_point)


def inverse_root(x: Quantization, y: Quantization) -> Table:
    """1 / sqrt(x) (``RsqrtEvalQuantized``); of 0 and, where Micro stops, of what is negative, the largest value."""
    multiplier, shift = quantize_multiplier(1 / (np.sqrt(x.scale[0]) * y.scale[0]))
    distance = _INPUTS - x.zero_point
    values = []
    for each in distance.tolist():
        root, root_shift = fixed_inverse_root(max(each, 0))
        fine = requantize(np.asarray(1), root, root_shift + _ROOT_SHIFT)
        values.append(int(requantize(fine, multiplier, shift - _ROOT_SHIFT)) + y.zero_point)
    return _saturated(np.where(distance > 0, np.array(values), 127))


_ROOT_SHIFT = 20
"""Fractional bits of a root."""


def relu6(x: Quantization, y: Quantization) -> Table:
    """Limited to what is 0 and 6 at the input's scale; never rescaled (``Relu6Quantized``).

    Raises:
        ValueError: input and output do not share scale and zero point.
    """
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise ValueError("its input and output must share scale and zero point")
    return np.clip(_INPUTS, *x.clamp(0, 6)).astype(np.int8)


def leaky_relu(x: Quantization, y: Quantization, alpha: float) -> Table:
    """Below zero times ``alpha`` (``QuantizeLeakyRelu``).

    Raises:
        ValueError: ``alpha`` is negative.
    """
    if not 0 <= alpha < 1e6:
        raise ValueError(f"has alpha {alpha}, must not be negative")
    kept, leaked = (_rescaled(x, x.scale[0] * slope / y.scale[0]) for slope in (1.0, alpha))
    return _saturated(np.where(x.zero_point <= _INPUTS, kept, leaked) + y.zero_point)


def hard_swish(x: Quantization, y: Quantization) -> Table:
    """X * min(max(x + 3, 0), 6) / 6 in 16-bit fixed point (``HardSwish``).

    Raises:
        ValueError: the output's scale is below 1/128 of the input's.
    """
    fine = np.float32(1 / 128) * np.float32(x.scale[0])
    output, output_shift = quantize_multiplier(float(fine / np.float32(y.scale[0])))
    gate, gate_shift = quantize_multiplier(float(fine / (np.float32(3) / np.float32(32768))))
    if output_shift > 0:
        raise ValueError("its output's scale is below 1/128 of its input's")
    enlarged = (_INPUTS - x.zero_point) << 7
    product = _high_mul16(enlarged, _to16(output))
    # The gate: x from [-3, 3] to [-1, 1], saturated, then to [0, 1].
    opened = enlarged
    if gate_shift > 0:
        opened = _saturated16(opened << (gate_shift - 1))
    opened = _high_mul16(opened, _to16(gate))
    if gate_shift > 0:
        opened = _saturated16(opened << 1)
    if gate_shift < 0:
        opened = rounding_divide(opened, -gate_shift)
    opened = (opened + (1 << 15)) >> 1
    exact = opened * product
    truncated = np.sign(exact) * (np.abs(exact) >> 15)
    return _saturated(rounding_divide(truncated, -output_shift) + y.zero_point)


def logistic(x: Quantization, y: Quantization) -> Table:
    """1 / (1 + exp(-x)) in steps of 1/256 (``Logistic``).

    Raises:
        ValueError: the output has another scale or zero point.
    """
    if y.zero_point != -128 or abs(y.scale[0] - 1 / 256) > 1e-9:
        raise ValueError("its output must have scale 1/256 and zero point -128")
    scaled, far = _q4(x)
    values = rounding_divide(fixed_logistic(scaled, 4), 31 - 8) - 128
    return _saturated(np.where(far, np.where(x.zero_point < _INPUTS, 127, -128), values))


def tanh(x: Quantization, y: Quantization) -> Table:
    """Hyperbolic tangent in steps of 1/128 (``Tanh``).

    Raises:
        ValueError: the output has another scale or zero point.
    """
    if y.zero_point != 0 or abs(y.scale[0] - 1 / 128) > 1e-9:
        raise ValueError("its output must have scale 1/128 and zero point 0")
    scaled, far = _q4(x)
    values = rounding_divide(fixed_tanh(scaled, 4), 31 - 7)
    return _saturated(np.where(far, np.where(x.zero_point < _INPUTS, 127, -128), values))


def _q4(x: Quantization) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The inputs as numbers with 4 integer bits, and which of them lie beyond those."""
    fraction, shift = frexp(x.scale[0] * 2.0**27)
    multiplier = floor(fraction * 2**31 + 0.5)
    radius = (15 << 27) >> shift if shift >= 0 else (15 << 27) << -shift
    offset = _INPUTS - x.zero_point
    far = np.abs(offset) >= radius
    return requantize(np.where(far, 0, offset), multiplier, shift), far


def _rescaled(x: Quantization, factor: float, distance: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """``distance``, by default that to the zero point, times ``factor``."""
    multiplier, shift = quantize_multiplier(factor)
    if shift > 22:
        raise ValueError(f"its output's scale is 1/{factor:.3g} of its input's, which leaves 32 bits")
    return requantize(_INPUTS - x.zero_point if distance is None else distance, multiplier, shift)


def _saturated(values: NDArray[np.int64]) -> Table:
    return np.clip(values, -128, 127).astype(np.int8)


def _to16(multiplier: int) -> int:
    """A multiplier of 31 bits rounded to 15 (``DownScaleInt32ToInt16Multiplier``)."""
    return min((multiplier + (1 << 15)) >> 16, 2**15 - 1)


def _saturated16(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.clip(values, -(2**15), 2**15 - 1), np.int64)


def _high_mul16(a: NDArray[np.int64], b: int) -> NDArray[np.int64]:
    """round(a * b / 2**15): gemmlowp's SaturatingRoundingDoublingHighMul of int16."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.asarray(np.sign(nudged) * (np.abs(nudged) >> 15), np.int64)
