"""Reference arithmetic of operators with weights.

Sums of products are taken by floating-point BLAS, which is exact as long as no partial sum leaves the 24 bits of
float32's or the 53 of float64's significand.
"""

from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import requantize, requantize_wide
from mcubuild.ir.graph import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Graph,
    Levels,
    Pair,
    TransposeConv2D,
    Weighted,
    dilated,
)
from mcubuild.ir.parameters import WeightedParameters, parameters

_Integers: TypeAlias = NDArray[np.signedinteger[Any]]
_Floats: TypeAlias = NDArray[np.floating[Any]]


def weighted(graph: Graph, op: Weighted, x: Levels) -> NDArray[np.int64]:
    """The output of ``op``, (N, ...), for its input x, (N, ...).

    Raises:
        ValueError: the graph has no values, or no parameters can be derived.
    """
    derived = parameters(graph, op)
    if op.weights not in graph.constants or op.bias not in graph.constants:
        raise ValueError(f"the graph holds no values for {op.weights!r} and {op.bias!r}; a skeleton cannot be run")
    weights, bias = graph.constants[op.weights], graph.constants[op.bias]
    exact = _exact_float(op, weights, 255 if x.dtype == np.int8 else 32768)
    centred: _Floats = (x.astype(np.int32) + np.int32(derived.input_offset)).astype(exact)
    return _finish(_sums(graph, op, centred, weights.astype(exact)), bias, derived)


def _sums(graph: Graph, op: Weighted, centred: _Floats, weights: _Floats) -> _Floats:
    """Sums of products in the shape of the output, (N, ..., channels)."""
    if isinstance(op, FullyConnected):
        shape = graph.tensor(op.output).shape[1:]
        return (centred.reshape(-1, weights.shape[1]) @ weights.T).reshape(len(centred), *shape)
    if isinstance(op, TransposeConv2D):
        return _spread(op, centred, weights)
    # The input's zero point, with which the graph pads, is 0 once the offset is added.
    top, bottom, left, right = op.padding
    padded = np.pad(centred, ((0, 0), (top, bottom), (left, right), (0, 0)))
    if isinstance(op, Conv2D):
        return _convolve(padded, weights, op.stride, op.dilation)
    return _convolve_depthwise(padded, weights[0], op.stride, op.dilation)


def _exact_float(op: Weighted, weights: _Integers, reach: int) -> type[np.float32] | type[np.float64]:
    """The smallest float whose significand holds every partial sum of (input - zero point) * weight, exactly.

    Args:
        op: the operator.
        weights: its weights.
        reach: largest magnitude of input - zero point.
    """
    axes = (0, 1, 2) if isinstance(op, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    largest = int(np.abs(weights.astype(np.int64)).sum(axis=axes).max()) * reach
    return np.float32 if largest < 1 << 24 else np.float64


def _convolve(padded: _Floats, weights: _Floats, stride: Pair, dilation: Pair) -> _Floats:
    """Sums (N, OH, OW, M) of padded (N, H, W, C) with weights (M, KH, KW, C)."""
    patches = windows(padded, (weights.shape[1], weights.shape[2]), stride, dilation)  # (N, OH, OW, C, KH, KW)
    rows = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weights[0].size)
    return (rows @ weights.reshape(len(weights), -1).T).reshape(*patches.shape[:3], len(weights))


def _convolve_depthwise(padded: _Floats, weights: _Floats, stride: Pair, dilation: Pair) -> _Floats:
    """Sums (N, OH, OW, C * M) of padded (N, H, W, C) with weights (KH, KW, C * M)."""
    multiplier = weights.shape[2] // padded.shape[3]
    if multiplier > 1:
        padded = np.repeat(padded, multiplier, axis=3)
    patches = windows(padded, (weights.shape[0], weights.shape[1]), stride, dilation)
    sums = np.zeros(patches.shape[:4], padded.dtype)
    for row, column in np.ndindex(weights.shape[:2]):
        sums += patches[..., row, column] * weights[row, column]
    return sums


def _spread(op: TransposeConv2D, x: _Floats, weights: _Floats) -> _Floats:
    """Sums (N, *size, M) of what every pixel of x (N, H, W, C) adds, with weights (M, KH, KW, C)."""
    (count, height, width, _), (filters, rows, columns, _) = x.shape, weights.shape
    (top, _, left, _), (down, across) = op.padding, op.stride
    # All windows, also what of them lies outside the output.
    area = (
        max((height - 1) * down + rows, top + op.size[0]),
        max((width - 1) * across + columns, left + op.size[1]),
    )
    sums = np.zeros((count, *area, filters), x.dtype)
    for row, column in np.ndindex(rows, columns):
        part = sums[:, row : row + (height - 1) * down + 1 : down, column : column + (width - 1) * across + 1 : across]
        part += x @ weights[:, row, column].T
    return sums[:, top : top + op.size[0], left : left + op.size[1]]


def windows(x: NDArray[Any], kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> NDArray[Any]:
    """View (N, OH, OW, C, KH, KW) of the windows in x (N, H, W, C)."""
    every = sliding_window_view(x, dilated(kernel, dilation), axis=(1, 2))
    return every[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]


def _finish(sums: _Floats, bias: _Integers, derived: WeightedParameters) -> NDArray[np.int64]:
    """Bias, requantisation, output offset and clamp of sums (..., channels)."""
    multipliers = np.array([factor.multiplier for factor in derived.factors], np.int64)
    shifts = np.array([factor.shift for factor in derived.factors], np.int64)
    scaled = (requantize_wide if derived.wide else requantize)(sums.astype(np.int64) + bias, multipliers, shifts)
    return np.asarray(np.clip(scaled + derived.output_offset, *derived.clamp), np.int64)


def patch_elements(graph: Graph, op: Weighted) -> int:
    """Elements of the temporary patches that one sample takes."""
    if not isinstance(op, Conv2D):
        return 0
    weights = graph.tensor(op.weights)
    return graph.tensor(op.output).elements // weights.shape[0] * prod(weights.shape[1:])
