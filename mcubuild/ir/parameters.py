"""The integers that an operator computes with, derived from its tensors' scales and zero points.

This is the only place where scales become fixed-point factors: the reference executor and the generated C take them
from here. The derivations are those of TensorFlow Lite Micro, down to the precision of every intermediate product.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, overload

import numpy as np

from mcubuild.ir.arithmetic import quantize_multiplier
from mcubuild.ir.graph import (
    Add,
    AveragePool2D,
    Clamp,
    FullyConnected,
    Graph,
    Op,
    Quantization,
    Weighted,
)

ADD_LEFT_SHIFT: Final = 20
"""Bits by which Add enlarges its int8 operands before it rescales them (``CalculateOpDataAdd``)."""


@dataclass(frozen=True)
class FixedPoint:
    """The factor ``multiplier * 2**(shift - 31)``; ``multiplier`` is 0 or in [2**30, 2**31)."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class WeightedParameters:
    """Of Conv2D, DepthwiseConv2D and FullyConnected.

    output = clamp(requantize(bias + sum((input + input_offset) * weight), factors[channel]) + output_offset)
    """

    input_offset: int
    """Minus the input's zero point."""
    output_offset: int
    """The output's zero point."""
    factors: tuple[FixedPoint, ...]
    """One an output channel, also where the weights have one scale for all."""
    clamp: Clamp


@dataclass(frozen=True)
class AddParameters:
    """Of Add.

    sum = requantize((left + left_offset) << left_shift, left) + requantize((right + right_offset) << left_shift, right)
    output = clamp(requantize(sum, output) + output_offset); no factor has a positive shift.
    """

    left_offset: int
    right_offset: int
    output_offset: int
    left_shift: int
    left: FixedPoint
    right: FixedPoint
    output: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class PoolParameters:
    """Of AveragePool2D: output = clamp(sum / count), rounded to nearest, ties away from zero."""

    count: int
    """Elements in a window."""
    clamp: Clamp


Parameters: TypeAlias = WeightedParameters | AddParameters | PoolParameters


@overload
def parameters(graph: Graph, op: Weighted) -> WeightedParameters: ...
@overload
def parameters(graph: Graph, op: Add) -> AddParameters: ...
@overload
def parameters(graph: Graph, op: AveragePool2D) -> PoolParameters: ...
def parameters(graph: Graph, op: Op) -> Parameters:
    """The integer parameters of ``op``.

    Raises:
        ValueError: a tensor has no quantisation or one that the operator cannot take, named in the message.
    """
    if isinstance(op, Add):
        return _add(graph, op)
    if isinstance(op, AveragePool2D):
        return _average_pool(graph, op)
    return _weighted(graph, op)


def activation_clamp(quantization: Quantization, low: float | None, high: float | None) -> Clamp:
    """The int8 clamp of an activation function that limits real values to [low, high].

    ReLU is (0, None), ReLU6 (0, 6). Source: ``CalculateActivationRangeQuantized`` of TensorFlow Lite, which divides
    in float32 and rounds half away from zero.
    """

    def quantized(real: float) -> int:
        ratio = float(np.float32(real) / np.float32(quantization.scale[0]))
        return quantization.zero_point + int(np.copysign(np.floor(abs(ratio) + 0.5), ratio))

    return (
        -128 if low is None else max(-128, quantized(low)),
        127 if high is None else min(127, quantized(high)),
    )


def _quantization(graph: Graph, name: str) -> Quantization:
    quantization = graph.tensor(name).quantization
    if quantization is None:
        raise ValueError(f"tensor {name!r} has no quantisation")
    return quantization


def _activation(graph: Graph, name: str) -> tuple[float, int]:
    """Scale and zero point of an activation."""
    quantization = _quantization(graph, name)
    if len(quantization.scale) != 1:
        raise ValueError(f"activation {name!r} has {len(quantization.scale)} scales, must have one")
    return quantization.scale[0], quantization.zero_point


def _fixed_point(real: float) -> FixedPoint:
    return FixedPoint(*quantize_multiplier(real))


def _weighted(graph: Graph, op: Weighted) -> WeightedParameters:
    input_scale, input_zero = _activation(graph, op.input)
    output_scale, output_zero = _activation(graph, op.output)
    channels = graph.tensor(op.bias).elements
    weights = _quantization(graph, op.weights)
    if len(weights.scale) not in (1, channels):
        raise ValueError(f"weights {op.weights!r} have {len(weights.scale)} scales, must have 1 or {channels}")
    if weights.zero_point != 0:
        raise ValueError(f"weights {op.weights!r} have zero point {weights.zero_point}, must be symmetric (0)")
    if isinstance(op, FullyConnected) and len(weights.scale) == 1:
        # GetQuantizedConvolutionMultipler multiplies the scales in float32; the per-channel path does so in double.
        products = [float(np.float32(input_scale) * np.float32(weights.scale[0]))]
    else:
        products = [input_scale * scale for scale in weights.scale]
    factors = tuple(_fixed_point(product / output_scale) for product in products)
    if len(factors) == 1:
        factors *= channels
    return WeightedParameters(-input_zero, output_zero, factors, op.clamp)


def _add(graph: Graph, op: Add) -> AddParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    twice_largest = 2 * max(left_scale, right_scale)
    output = _fixed_point(twice_largest / ((1 << ADD_LEFT_SHIFT) * output_scale))
    if output.shift > 0:
        raise ValueError(
            f"Add: the scale {output_scale} of {op.output!r} is below 2**-19 of its operands' {twice_largest / 2}"
        )
    return AddParameters(
        left_offset=-left_zero,
        right_offset=-right_zero,
        output_offset=output_zero,
        left_shift=ADD_LEFT_SHIFT,
        left=_fixed_point(left_scale / twice_largest),
        right=_fixed_point(right_scale / twice_largest),
        output=output,
        clamp=op.clamp,
    )


def _average_pool(graph: Graph, op: AveragePool2D) -> PoolParameters:
    if _activation(graph, op.input) != _activation(graph, op.output):
        raise ValueError(f"AveragePool2D: {op.input!r} and {op.output!r} must share scale and zero point")
    return PoolParameters(count=op.window[0] * op.window[1], clamp=op.clamp)
