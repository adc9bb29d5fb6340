"""The integers that an operator computes with, derived from its tensors' scales and zero points.

This is the only place where scales become fixed-point factors: the reference executor and the generated C take them
from here. The derivations are those of TensorFlow Lite Micro, down to the precision of every intermediate product.
"""

from dataclasses import dataclass
from math import log2, prod
from typing import Final, TypeAlias, overload

import numpy as np

from mcubuild.ir.arithmetic import doubling_high_mul, quantize_multiplier
from mcubuild.ir.graph import (
    BYTES,
    INT8,
    Add,
    Clamp,
    Graph,
    L2Normalize,
    LogSoftmax,
    MatMul,
    Mean,
    Mul,
    Pool,
    Prelu,
    Quantization,
    Rescale,
    Sigmoid,
    Softmax,
    SquaredDifference,
    Sub,
    Sum,
    Weighted,
    WideSoftmax,
    matrix_shapes,
)
from mcubuild.ir.transcendental import exp_of_negative

ADD_LEFT_SHIFT: Final = {"int8": 20, "int16": 15}
"""Bits by which Add enlarges its operands before it rescales them (``CalculateOpDataAdd``)."""


@dataclass(frozen=True)
class FixedPoint:
    """The factor ``multiplier * 2**(shift - 31)``; ``multiplier`` is 0 or in [2**30, 2**31)."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class WeightedParameters:
    """Of operators with weights.

    output = clamp(requantize(bias + sum((input + input_offset) * weight), factors[channel]) + output_offset)
    """

    input_offset: int
    """Minus the input's zero point."""
    output_offset: int
    """The output's zero point."""
    factors: tuple[FixedPoint, ...]
    """One an output channel, also where the weights have one scale for all."""
    clamp: Clamp
    wide: bool
    """Whether sums have 64 bits and are rescaled by ``requantize_wide``: those whose bias is int64."""


@dataclass(frozen=True)
class AddParameters:
    """Of Add, Sub and SquaredDifference.

    sum = requantize((left + left_offset) << left_shift, left) + requantize((right + right_offset) << left_shift, right)
    output = clamp(requantize(sum, output) + output_offset); no factor has a positive shift. Sub takes the difference,
    SquaredDifference the square of that.
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
class MulParameters:
    """Of Mul: clamp(requantize((left + left_offset) * (right + right_offset), factor) + output_offset)."""

    left_offset: int
    right_offset: int
    output_offset: int
    factor: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class MatMulParameters:
    """Of MatMul: requantize(sum((left + left_offset) * (right + right_offset)), factor) + output_offset, saturated.

    Of int16 it is ``requantize_wide``, of sums of 64 bits.
    """

    left_offset: int
    right_offset: int
    output_offset: int
    factor: FixedPoint


@dataclass(frozen=True)
class PreluParameters:
    """Of Prelu: x = left + left_offset, and where it is negative x * (right + right_offset).

    output = clamp(requantize(x, kept or leaked) + output_offset) to the output's type.
    """

    left_offset: int
    right_offset: int
    output_offset: int
    kept: FixedPoint
    leaked: FixedPoint


@dataclass(frozen=True)
class PoolParameters:
    """Of AveragePool2D and MaxPool2D.

    Averages are clamp(sum / elements of the window inside the input), rounded to nearest, ties away from zero.
    """

    count: int
    """Elements in a window."""
    clamp: Clamp


@dataclass(frozen=True)
class MeanParameters:
    """Of Mean and Sum: output = clamp(requantize(sum + sum_offset, factor) + output_offset) to the output's type."""

    sum_offset: int
    """Minus the input's zero point, once an element."""
    factor: FixedPoint
    """Its multiplier may be below 2**30."""
    output_offset: int


@dataclass(frozen=True)
class L2Parameters:
    """Of L2Normalize."""

    input_offset: int
    """Minus the input's zero point."""


@dataclass(frozen=True)
class RescaleParameters:
    """Of Rescale: clamp(requantize(input + input_offset, factor) + output_offset), with ``below`` for negative ones."""

    input_offset: int
    output_offset: int
    factor: FixedPoint
    below: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class SigmoidParameters:
    """Of Sigmoid: (input * multiplier, rounded) >> shift is the place in the table, in 1/12288."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class WideSoftmaxParameters:
    """Of WideSoftmax: differences times ``factor`` are places in the table of the exponential, in 10/65535."""

    factor: FixedPoint


@dataclass(frozen=True)
class SoftmaxParameters:
    """Of Softmax."""

    exponentials: tuple[int, ...]
    """exp(-d * scale * beta) in 1/2**31, by the distance d to the largest element; further off it is 0."""


@dataclass(frozen=True)
class LogSoftmaxParameters:
    """Of LogSoftmax: of the distance d to the largest element."""

    exponentials: tuple[int, ...]
    """exp(-d * scale) in 1/2**31, by d; further off it is 0, and the output the smallest."""
    factor: FixedPoint
    """From d to d * scale in 1/2**26."""
    reverse: FixedPoint
    """From there to d."""


Parameters: TypeAlias = (
    WeightedParameters
    | AddParameters
    | PreluParameters
    | MatMulParameters
    | MulParameters
    | PoolParameters
    | MeanParameters
    | RescaleParameters
    | SigmoidParameters
    | L2Parameters
    | SoftmaxParameters
    | LogSoftmaxParameters
    | WideSoftmaxParameters
)
Computing: TypeAlias = (
    Weighted
    | Add
    | Sub
    | Mul
    | SquaredDifference
    | Prelu
    | MatMul
    | L2Normalize
    | Pool
    | Mean
    | Sum
    | Rescale
    | Sigmoid
    | Softmax
    | LogSoftmax
    | WideSoftmax
)
"""Operators that have parameters; the others move elements, look them up or depend on shapes alone."""


@overload
def parameters(graph: Graph, op: Weighted) -> WeightedParameters: ...
@overload
def parameters(graph: Graph, op: Add | Sub | SquaredDifference) -> AddParameters: ...
@overload
def parameters(graph: Graph, op: Prelu) -> PreluParameters: ...
@overload
def parameters(graph: Graph, op: MatMul) -> MatMulParameters: ...
@overload
def parameters(graph: Graph, op: L2Normalize) -> L2Parameters: ...
@overload
def parameters(graph: Graph, op: Mul) -> MulParameters: ...
@overload
def parameters(graph: Graph, op: Pool) -> PoolParameters: ...
@overload
def parameters(graph: Graph, op: Mean | Sum) -> MeanParameters: ...
@overload
def parameters(graph: Graph, op: Rescale) -> RescaleParameters: ...
@overload
def parameters(graph: Graph, op: Sigmoid) -> SigmoidParameters: ...
@overload
def parameters(graph: Graph, op: Softmax) -> SoftmaxParameters: ...
@overload
def parameters(graph: Graph, op: LogSoftmax) -> LogSoftmaxParameters: ...
@overload
def parameters(graph: Graph, op: WideSoftmax) -> WideSoftmaxParameters: ...
def parameters(graph: Graph, op: Computing) -> Parameters:
    """The integer parameters of ``op``.

    Raises:
        ValueError: a tensor has no quantisation or one that the operator cannot take, named in the message.
    """
    if isinstance(op, Add | Sub):
        return _add(graph, op)
    if isinstance(op, SquaredDifference):
        return _squared_difference(graph, op)
    if isinstance(op, MatMul):
        return _mat_mul(graph, op)
    if isinstance(op, L2Normalize):
        return _l2_normalize(graph, op)
    if isinstance(op, Prelu):
        return _prelu(graph, op)
    if isinstance(op, Mul):
        return _mul(graph, op)
    if isinstance(op, Pool):
        return _pool(graph, op)
    if isinstance(op, Mean | Sum):
        return _mean(graph, op)
    if isinstance(op, Rescale):
        return _rescale(graph, op)
    if isinstance(op, Sigmoid):
        return _sigmoid(graph, op)
    if isinstance(op, Softmax):
        return _softmax(graph, op)
    if isinstance(op, LogSoftmax):
        return _log_softmax(graph, op)
    if isinstance(op, WideSoftmax):
        return _wide_softmax(graph, op)
    return _weighted(graph, op)


def activation_clamp(quantization: Quantization, low: float | None, high: float | None, limits: Clamp = INT8) -> Clamp:
    """The clamp of an activation function that limits real values to [low, high], for a type with these ``limits``.

    ReLU is (0, None), ReLU6 (0, 6). Source: ``CalculateActivationRangeQuantized`` of TensorFlow Lite, which divides
    in float32 and rounds half away from zero.
    """

    def quantized(real: float) -> int:
        ratio = float(np.float32(real) / np.float32(quantization.scale[0]))
        return quantization.zero_point + int(np.copysign(np.floor(abs(ratio) + 0.5), ratio))

    return (
        limits[0] if low is None else max(limits[0], quantized(low)),
        limits[1] if high is None else min(limits[1], quantized(high)),
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
    if graph.tensor(name).dtype == "int16" and quantization.zero_point:
        raise ValueError(f"activation {name!r} is int16 with zero point {quantization.zero_point}, must have 0")
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
    factors = tuple(_fixed_point(input_scale * scale / output_scale) for scale in weights.scale)
    if len(factors) == 1:
        factors *= channels
    wide = graph.tensor(op.bias).dtype == "int64"
    if wide and max(factor.shift for factor in factors) > _MOST_ENLARGED_SUM:
        raise ValueError(f"the scale {output_scale} of {op.output!r} is too small for the products of its operands")
    return WeightedParameters(-input_zero, output_zero, factors, op.clamp, wide)


_MOST_ENLARGED_SUM: Final = 7
"""Bits by which a sum of 64 bits can be shifted left."""


def _add(graph: Graph, op: Add | Sub) -> AddParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    twice_largest = 2 * max(left_scale, right_scale)
    left_shift = ADD_LEFT_SHIFT[graph.tensor(op.output).dtype]
    output = _fixed_point(twice_largest / ((1 << left_shift) * output_scale))
    if output.shift > 0:
        raise ValueError(
            f"{type(op).__name__}: the scale {output_scale} of {op.output!r} is too small for its operands' "
            f"{twice_largest / 2}"
        )
    return AddParameters(
        left_offset=-left_zero,
        right_offset=-right_zero,
        output_offset=output_zero,
        left_shift=left_shift,
        left=_fixed_point(left_scale / twice_largest),
        right=_fixed_point(right_scale / twice_largest),
        output=output,
        clamp=op.clamp,
    )


_DIFFERENCE_SHIFT: Final = {"int8": 7, "int16": 0}
"""Bits by which SquaredDifference enlarges its operands: squares still fit 32 bits."""


def _squared_difference(graph: Graph, op: SquaredDifference) -> AddParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    target = graph.tensor(op.output)
    shift, twice_largest = _DIFFERENCE_SHIFT[target.dtype], 2 * max(left_scale, right_scale)
    output = _fixed_point(twice_largest * twice_largest / ((1 << 2 * shift) * output_scale))
    if output.shift > 0:
        raise ValueError(f"SquaredDifference: the scale {output_scale} of {op.output!r} is too small for its operands'")
    return AddParameters(
        left_offset=-left_zero,
        right_offset=-right_zero,
        output_offset=output_zero,
        left_shift=shift,
        left=_fixed_point(left_scale / twice_largest),
        right=_fixed_point(right_scale / twice_largest),
        output=output,
        clamp=target.limits,
    )


def _mat_mul(graph: Graph, op: MatMul) -> MatMulParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    factor = _fixed_point(left_scale * right_scale / output_scale)
    left, right = graph.tensor(op.left), graph.tensor(op.right)
    depth, wide = matrix_shapes(op, left.shape, right.shape)[0][-1], left.dtype == "int16"
    if factor.shift > (_MOST_ENLARGED_SUM if wide else 0) or depth >= 1 << (17 if wide else 14):
        raise ValueError(
            f"MatMul: sums of {depth} products at the scale {output_scale} of {op.output!r} would overflow"
        )
    return MatMulParameters(-left_zero, -right_zero, output_zero, factor)


def _l2_normalize(graph: Graph, op: L2Normalize) -> L2Parameters:
    _, zero = _activation(graph, op.input)
    if _activation(graph, op.output) != (1 / 128, 0):
        raise ValueError(f"L2Normalize: {op.output!r} must have scale 1/128 and zero point 0")
    if graph.tensor(op.input).shape[-1] >= 1 << 15:
        raise ValueError(f"L2Normalize of {op.input!r}: sums of squares would leave 32 bits")
    return L2Parameters(-zero)


def _prelu(graph: Graph, op: Prelu) -> PreluParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    kept = _fixed_point(left_scale / output_scale)
    leaked = _fixed_point(left_scale * right_scale / output_scale)
    if kept.shift > 22 or leaked.shift > _MOST_ENLARGED["int8"]:
        raise ValueError(f"Prelu: the scale {output_scale} of {op.output!r} is too small for its operands'")
    return PreluParameters(-left_zero, -right_zero, output_zero, kept, leaked)


def _mul(graph: Graph, op: Mul) -> MulParameters:
    left_scale, left_zero = _activation(graph, op.left)
    right_scale, right_zero = _activation(graph, op.right)
    output_scale, output_zero = _activation(graph, op.output)
    factor = _fixed_point(left_scale * right_scale / output_scale)
    if factor.shift > _MOST_ENLARGED[graph.tensor(op.output).dtype]:
        raise ValueError(
            f"Mul: the scale {output_scale} of {op.output!r} is too small for the product of its operands' "
            f"{left_scale * right_scale}; products would leave 32 bits"
        )
    return MulParameters(-left_zero, -right_zero, output_zero, factor, op.clamp)


_MOST_ENLARGED: Final = {"int8": 14, "int16": 0}
"""Bits by which a product of two operands (16 bits and a sign, or 30 of them) can be shifted left."""


def _pool(graph: Graph, op: Pool) -> PoolParameters:
    source, target = _activation(graph, op.input), _activation(graph, op.output)
    # PoolingPrepare of TensorFlow Lite Micro allows this difference.
    if abs(source[0] - target[0]) > 1e-6 or source[1] != target[1]:
        raise ValueError(f"{type(op).__name__}: {op.input!r} and {op.output!r} must share scale and zero point")
    return PoolParameters(count=op.window[0] * op.window[1], clamp=op.clamp)


def _mean(graph: Graph, op: Mean | Sum) -> MeanParameters:
    input_scale, input_zero = _activation(graph, op.input)
    output_scale, output_zero = _activation(graph, op.output)
    count = prod(graph.tensor(op.input).shape[axis] for axis in op.axes)
    bits = 8 * BYTES[graph.tensor(op.input).dtype]
    if count >= 1 << (31 - bits):
        raise ValueError(f"{type(op).__name__} of {count} elements: sums would leave 32 bits")
    factor = _fixed_point(input_scale / output_scale)
    folded = factor
    if isinstance(op, Mean):  # the division by the count is folded into the multiplier (QuantizedMeanOrSum)
        shift = min(count.bit_length() - 1, 32, 31 + factor.shift)
        folded = FixedPoint((factor.multiplier << shift) // count, factor.shift - shift)
    if folded.shift > 0 and count << (bits + folded.shift) >= 1 << 31:
        raise ValueError(
            f"{type(op).__name__}: the scale {output_scale} of {op.output!r} is too small for its input's {input_scale}"
        )
    return MeanParameters(-input_zero * count, folded, output_zero)


def _rescale(graph: Graph, op: Rescale) -> RescaleParameters:
    source, target = _activation(graph, op.input), _activation(graph, op.output)
    factor, below = (_fixed_point(source[0] * slope / target[0]) for slope in (1.0, op.slope))
    bits = 8 * BYTES[graph.tensor(op.input).dtype]
    if max(factor.shift, below.shift) > 30 - bits:
        raise ValueError(f"Rescale: the scale {target[0]} of {op.output!r} is too small for its input's {source[0]}")
    return RescaleParameters(-source[1], target[1], factor, below, op.clamp)


def _sigmoid(graph: Graph, op: Sigmoid) -> SigmoidParameters:
    """Source: ``LogisticPrepare`` and ``TanhPrepare`` of TensorFlow Lite Micro."""
    scale, _ = _activation(graph, op.input)
    if _activation(graph, op.output) != (1 / 32768, 0):
        raise ValueError(f"Sigmoid: {op.output!r} must have scale 1/32768 and zero point 0")
    power = round(log2(scale))
    if 2.0**power == scale and 12 + power in ((0,) if op.function == "logistic" else (0, 1)):
        return SigmoidParameters(3 << (12 + power), 0)
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = 2 * multiplier, shift + 1
    if multiplier > 32767:
        raise ValueError(f"Sigmoid: the scale {scale} of {op.input!r} is too large, must be below 2.66")
    return SigmoidParameters(int(multiplier), shift)


def _wide_softmax(graph: Graph, op: WideSoftmax) -> WideSoftmaxParameters:
    scale, _ = _activation(graph, op.input)
    target = _activation(graph, op.output)
    if target[1] != 0 or abs(target[0] - 1 / 32768) > 0.001 / 32768:
        raise ValueError(f"WideSoftmax: {op.output!r} must have scale 1/32768 and zero point 0")
    factor = _fixed_point(scale * op.beta / (10.0 / 65535.0))
    if factor.shift > 14:
        raise ValueError(f"WideSoftmax: beta {op.beta} times the scale {scale} of {op.input!r} is too large")
    return WideSoftmaxParameters(factor)


_SOFTMAX_BITS: Final = 5
"""Integer bits of the differences that go into exp."""


def _softmax(graph: Graph, op: Softmax) -> SoftmaxParameters:
    scale, _ = _activation(graph, op.input)
    if _activation(graph, op.output) != (1 / 256, -128):
        raise ValueError(f"Softmax: {op.output!r} must have scale 1/256 and zero point -128")
    return SoftmaxParameters(_exponentials(op.input, op.beta * scale)[0])


def _log_softmax(graph: Graph, op: LogSoftmax) -> LogSoftmaxParameters:
    scale, _ = _activation(graph, op.input)
    if _activation(graph, op.output) != (1 / 16, 127):
        raise ValueError(f"LogSoftmax: {op.output!r} must have scale 1/16 and zero point 127")
    exponentials, factor = _exponentials(op.input, scale)
    return LogSoftmaxParameters(exponentials, factor, _fixed_point((1 << (31 - factor.shift)) / factor.multiplier))


def _exponentials(name: str, scale: float) -> tuple[tuple[int, ...], FixedPoint]:
    """exp(-d * scale) in 1/2**31 for each distance d that counts, and the factor from d to d * scale in 1/2**26."""
    real = min(scale * (1 << (31 - _SOFTMAX_BITS)), 2.0**31 - 1)
    if real <= 1:
        raise ValueError(f"softmax of {name!r}: its scale, times beta, {scale}, is too small")
    factor = _fixed_point(real)
    radius = (((1 << _SOFTMAX_BITS) - 1) << (31 - _SOFTMAX_BITS)) >> factor.shift
    distances = np.arange(min(radius, 255) + 1, dtype=np.int64)
    scaled = doubling_high_mul(-distances << factor.shift, factor.multiplier)
    return tuple(exp_of_negative(scaled, _SOFTMAX_BITS).tolist()), factor
