"""The integer reference executor: what every other implementation of a graph must equal, bit for bit.

It follows the reference kernels of TensorFlow Lite Micro. Sums of products are taken by floating-point BLAS, which is
exact as long as no partial sum leaves the 24 bits of float32's or the 53 of float64's significand.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import requantize
from mcubuild.ir.graph import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Graph,
    Op,
    Pair,
    Weighted,
    op_inputs,
)
from mcubuild.ir.parameters import FixedPoint, WeightedParameters, parameters

Int8: TypeAlias = NDArray[np.int8]
_Integers: TypeAlias = NDArray[np.signedinteger[Any]]
_Floats: TypeAlias = NDArray[np.floating[Any]]

_BATCH_BYTES = 1 << 25
"""Working memory of a batch: large enough to keep BLAS busy, small enough to stay near the caches."""


def run(graph: Graph, inputs: Int8) -> Int8:
    """The graph's output for each sample.

    Args:
        graph: a quantised graph with one input and one output.
        inputs: int8 (N, ...), one sample of the input's shape (without its batch dimension) a row.

    Returns:
        int8 (N, ...), the output without its batch dimension a row; equal for every split into batches.

    Raises:
        ValueError: the graph has no values, or the inputs do not fit it.
    """
    (output,) = graph.outputs
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op_inputs(op)}
    results = []
    for values in _batches(graph, inputs):
        for index, op in enumerate(graph.ops):
            values[op.output] = _execute(graph, op, values)
            for name in op_inputs(op):
                if last_use[name] == index and name != output:
                    values.pop(name, None)
        results.append(values[output])
    return np.concatenate(results)


def run_all(graph: Graph, inputs: Int8) -> dict[str, Int8]:
    """Every activation by name, the input included, for each sample; for tests and debugging.

    Arguments, shapes and errors as for ``run``; memory grows with the number of samples.
    """
    results: dict[str, list[Int8]] = {tensor.name: [] for tensor in graph.activations()}
    for values in _batches(graph, inputs):
        for op in graph.ops:
            values[op.output] = _execute(graph, op, values)
        for name, parts in results.items():
            parts.append(values[name])
    return {name: np.concatenate(parts) for name, parts in results.items()}


def _batches(graph: Graph, inputs: Int8) -> "list[dict[str, Int8]]":
    """The input tensor's values, cut into batches that fit the working memory."""
    (name,) = graph.inputs
    shape = graph.tensor(name).shape[1:]
    if inputs.dtype != np.int8 or inputs.shape[1:] != shape:
        raise ValueError(f"inputs are {inputs.dtype}{inputs.shape}, must be int8 (N, {', '.join(map(str, shape))})")
    size = max(1, _BATCH_BYTES // max(_working_bytes(graph, op) for op in graph.ops))
    # An empty input still makes one (empty) batch, so that outputs have their shapes.
    return [{name: inputs[start : start + size]} for start in range(0, max(len(inputs), 1), size)]


def _working_bytes(graph: Graph, op: Op) -> int:
    """Bytes of temporaries for one sample: float64 patches, and a few int64 arrays of the output's size."""
    output = graph.tensor(op.output).elements
    patches = 0
    if isinstance(op, Conv2D):
        weights = graph.tensor(op.weights)
        patches = output // weights.shape[0] * (weights.elements // weights.shape[0])
    return 8 * (patches + graph.tensor(op_inputs(op)[0]).elements + 4 * output)


def _execute(graph: Graph, op: Op, values: Mapping[str, Int8]) -> Int8:
    if isinstance(op, Add):
        return _add(graph, op, values[op.left], values[op.right])
    if isinstance(op, AveragePool2D):
        return _average_pool(graph, op, values[op.input])
    return _weighted(graph, op, values[op.input])


def _weighted(graph: Graph, op: Weighted, x: Int8) -> Int8:
    derived = parameters(graph, op)
    if op.weights not in graph.constants or op.bias not in graph.constants:
        raise ValueError(f"the graph holds no values for {op.weights!r} and {op.bias!r}; a skeleton cannot be run")
    weights, bias = graph.constants[op.weights], graph.constants[op.bias]
    exact = _exact_float(op, weights)
    centred = (x.astype(np.int16) + np.int16(derived.input_offset)).astype(exact)
    sums: _Floats
    if isinstance(op, FullyConnected):
        sums = centred.reshape(len(x), weights.shape[1]) @ weights.T.astype(exact)
    else:
        top, bottom, left, right = op.padding
        # The input's zero point, with which the graph pads, is 0 once the offset is added.
        padded = np.pad(centred, ((0, 0), (top, bottom), (left, right), (0, 0)))
        if isinstance(op, Conv2D):
            sums = _convolve(padded, weights.astype(exact), op.stride)
        else:
            sums = _convolve_depthwise(padded, weights[0].astype(exact), op.stride)
    return _finish(sums, bias, derived)


def _exact_float(op: Weighted, weights: _Integers) -> type[np.float32] | type[np.float64]:
    """The smallest float whose significand holds every partial sum of (input - zero point) * weight, exactly."""
    axes = (0, 1, 2) if isinstance(op, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    largest = int(np.abs(weights.astype(np.int64)).sum(axis=axes).max()) * 255
    return np.float32 if largest < 1 << 24 else np.float64


def _convolve(padded: _Floats, weights: _Floats, stride: Pair) -> _Floats:
    """Sums (N, OH, OW, M) of padded (N, H, W, C) with weights (M, KH, KW, C)."""
    patches = _windows(padded, (weights.shape[1], weights.shape[2]), stride)  # (N, OH, OW, C, KH, KW)
    rows = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weights[0].size)
    return (rows @ weights.reshape(len(weights), -1).T).reshape(*patches.shape[:3], len(weights))


def _convolve_depthwise(padded: _Floats, weights: _Floats, stride: Pair) -> _Floats:
    """Sums (N, OH, OW, C) of padded (N, H, W, C) with weights (KH, KW, C)."""
    patches = _windows(padded, (weights.shape[0], weights.shape[1]), stride)
    sums = np.zeros(patches.shape[:4], padded.dtype)
    for row, column in np.ndindex(weights.shape[:2]):
        sums += patches[..., row, column] * weights[row, column]
    return sums


def _windows(x: NDArray[Any], kernel: Pair, stride: Pair) -> NDArray[Any]:
    """View (N, OH, OW, C, KH, KW) of the windows in x (N, H, W, C)."""
    return sliding_window_view(x, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]


def _finish(sums: _Floats, bias: _Integers, derived: WeightedParameters) -> Int8:
    """Bias, requantisation, output offset and clamp of sums (..., channels)."""
    multipliers = np.array([factor.multiplier for factor in derived.factors], np.int64)
    shifts = np.array([factor.shift for factor in derived.factors], np.int64)
    scaled = requantize(sums.astype(np.int64) + bias, multipliers, shifts)
    return np.clip(scaled + derived.output_offset, *derived.clamp).astype(np.int8)


def _add(graph: Graph, op: Add, left: Int8, right: Int8) -> Int8:
    derived = parameters(graph, op)

    def enlarged(x: Int8, offset: int, factor: FixedPoint) -> NDArray[np.int64]:
        return requantize((x.astype(np.int64) + offset) << derived.left_shift, factor.multiplier, factor.shift)

    total = enlarged(left, derived.left_offset, derived.left) + enlarged(right, derived.right_offset, derived.right)
    scaled = requantize(total, derived.output.multiplier, derived.output.shift)
    return np.clip(scaled + derived.output_offset, *derived.clamp).astype(np.int8)


def _average_pool(graph: Graph, op: AveragePool2D, x: Int8) -> Int8:
    derived = parameters(graph, op)
    sums = _windows(x, op.window, op.stride).sum(axis=(4, 5), dtype=np.int64)
    # C's division truncates, so adding half the count away from zero first rounds ties away from zero.
    means = np.sign(sums) * ((np.abs(sums) + derived.count // 2) // derived.count)
    return np.asarray(np.clip(means, *derived.clamp), dtype=np.int8)
