"""TensorFlow Lite Micro's int8 reference kernels, one scalar at a time on Python integers and floats.

Written from the definitions (tensorflow/lite/kernels/internal/reference/integer_ops) and sharing no code with
mcubuild: what the executor is judged by.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Graph, Op, Quantization
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected


def truncating_divide(a: int, b: int) -> int:
    """C's division."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    if a == b == -(2**31):
        return 2**31 - 1
    product = a * b
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    return truncating_divide(product + nudge, 1 << 31)


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def multiply_by_quantized_multiplier(x: int, multiplier: int, shift: int) -> int:
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(x * (1 << left), multiplier), right)


def quantize_multiplier(real: float) -> tuple[int, int]:
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = int(fraction * 2.0**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


Scalar = Conv2D | DepthwiseConv2D | FullyConnected | Add | AveragePool2D
"""What is written out here; TensorFlow Lite Micro itself judges the others (tests/importers)."""


def execute(graph: Graph, op: Op, values: dict[str, NDArray[np.int8]]) -> NDArray[np.int8]:
    """The output of ``op`` for one sample; ``values`` have a leading dimension of 1."""
    assert isinstance(op, Scalar)
    shape = graph.tensor(op.output).shape
    out = np.zeros(shape, np.int8)
    for index, value in _elements(graph, op, values, shape):
        out[index] = min(max(value, op.clamp[0]), op.clamp[1])
    return out


def _elements(
    graph: Graph, op: Scalar, values: dict[str, NDArray[np.int8]], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], int]]:
    def info(name: str) -> Quantization:
        quantization = graph.tensor(name).quantization
        assert quantization is not None
        return quantization

    for index in np.ndindex(*shape):
        if isinstance(op, Add):
            yield index, _add(op, info, int(values[op.left][index]), int(values[op.right][index]))
        elif isinstance(op, AveragePool2D):
            yield index, _average(op, values[op.input], index)
        else:
            acc = int(graph.constants[op.bias][index[-1]])
            zero = info(op.input).zero_point
            for pixel, weight in _products(op, values[op.input], graph.constants[op.weights], index):
                acc += (pixel - zero) * weight
            scales = info(op.weights).scale
            product = info(op.input).scale[0] * scales[index[-1] if len(scales) > 1 else 0]
            factor = quantize_multiplier(product / info(op.output).scale[0])
            yield index, multiply_by_quantized_multiplier(acc, *factor) + info(op.output).zero_point


def _products(
    op: Conv2D | DepthwiseConv2D | FullyConnected,
    x: NDArray[np.int8],
    weights: NDArray[Any],
    index: tuple[int, ...],
) -> Iterator[tuple[int, int]]:
    if isinstance(op, FullyConnected):
        for pixel, weight in zip(x.reshape(-1), weights[index[1]], strict=True):
            yield int(pixel), int(weight)
        return
    _, row, column, channel = index
    for i, j in np.ndindex(weights.shape[1:3]):
        y, x0 = row * op.stride[0] - op.padding[0] + i, column * op.stride[1] - op.padding[2] + j
        if not (0 <= y < x.shape[1] and 0 <= x0 < x.shape[2]):
            continue
        if isinstance(op, DepthwiseConv2D):
            yield int(x[0, y, x0, channel]), int(weights[0, i, j, channel])
        else:
            for depth in range(x.shape[3]):
                yield int(x[0, y, x0, depth]), int(weights[channel, i, j, depth])


def _add(op: Add, info: Any, left: int, right: int) -> int:
    left_scale, right_scale, scale = (info(name).scale[0] for name in (op.left, op.right, op.output))
    twice_largest = 2 * max(left_scale, right_scale)
    total = 0
    for value, name, own in ((left, op.left, left_scale), (right, op.right, right_scale)):
        shifted = (value - info(name).zero_point) * (1 << 20)
        total += multiply_by_quantized_multiplier(shifted, *quantize_multiplier(own / twice_largest))
    factor = quantize_multiplier(twice_largest / ((1 << 20) * scale))
    return multiply_by_quantized_multiplier(total, *factor) + int(info(op.output).zero_point)


def _average(op: AveragePool2D, x: NDArray[np.int8], index: tuple[int, ...]) -> int:
    total = count = 0
    for i, j in np.ndindex(op.window):
        total += int(x[0, index[1] * op.stride[0] + i, index[2] * op.stride[1] + j, index[3]])
        count += 1
    return truncating_divide(total + count // 2, count) if total > 0 else truncating_divide(total - count // 2, count)
