"""The integer reference executor: what every other implementation of a graph must equal, bit for bit.

It follows the reference kernels of TensorFlow Lite Micro.
"""

from collections.abc import Mapping
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir import resizing
from mcubuild.ir.arithmetic import requantize, rounding_divide
from mcubuild.ir.graph import (
    Add,
    AveragePool2D,
    Elementwise,
    Graph,
    Lookup,
    Mean,
    Movement,
    Mul,
    Op,
    Pad,
    Pool,
    Reshape,
    Resize,
    Shape,
    Slice,
    Softmax,
    Transpose,
    Weighted,
    op_inputs,
)
from mcubuild.ir.parameters import FixedPoint, parameters
from mcubuild.ir.products import patch_elements, weighted, windows
from mcubuild.ir.softmax import probabilities

Int8: TypeAlias = NDArray[np.int8]

_BATCH_BYTES = 1 << 25
"""Working memory of a batch: large enough to keep BLAS busy, small enough to stay near the caches."""


def run(graph: Graph, inputs: Int8) -> Int8:
    """The graph's output for each sample.

    Args:
        graph: a quantised graph.
        inputs: int8 (N, ...), one sample of the input's shape (without its batch dimension) a row. Of a graph with
            several inputs: int8 (N, bytes), the flattened inputs side by side.

    Returns:
        int8 (N, ...), the output without its batch dimension a row; equal for every split into batches. Of a graph with
        several outputs: int8 (N, bytes), the flattened outputs side by side.

    Raises:
        ValueError: the graph has no values, or the inputs do not fit it.
    """
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op_inputs(op)}
    kept = {*graph.outputs, *graph.constants}
    results = []
    for values in _batches(graph, inputs):
        for index, op in enumerate(graph.ops):
            values[op.output] = execute(graph, op, values)
            for name in op_inputs(op):
                if last_use[name] == index and name not in kept:
                    values.pop(name, None)
        outputs = [values[name] for name in graph.outputs]
        count = len(outputs[0])
        results.append(outputs[0] if len(outputs) == 1 else np.hstack([part.reshape(count, -1) for part in outputs]))
    return np.concatenate(results)


def sample_shape(graph: Graph) -> Shape:
    """Shape of a sample as ``run`` takes it: that of the input without its batch, or bytes of all inputs together."""
    shapes = [graph.tensor(name).shape[1:] for name in graph.inputs]
    return shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)


def run_all(graph: Graph, inputs: Int8) -> dict[str, Int8]:
    """Every activation by name, the inputs included, for each sample; for tests and debugging.

    Arguments, shapes and errors as for ``run``; memory grows with the number of samples.
    """
    results: dict[str, list[Int8]] = {tensor.name: [] for tensor in graph.activations()}
    for values in _batches(graph, inputs):
        for op in graph.ops:
            values[op.output] = execute(graph, op, values)
        for name, parts in results.items():
            parts.append(values[name])
    return {name: np.concatenate(parts) for name, parts in results.items()}


def _batches(graph: Graph, inputs: Int8) -> "list[dict[str, Int8]]":
    """Constants and the inputs' values, cut into batches that fit the working memory."""
    shapes = {name: graph.tensor(name).shape[1:] for name in graph.inputs}
    expected = sample_shape(graph)
    if inputs.dtype != np.int8 or inputs.shape[1:] != expected:
        raise ValueError(f"inputs are {inputs.dtype}{inputs.shape}, must be int8 (N, {', '.join(map(str, expected))})")
    flat = inputs.reshape(len(inputs), prod(expected))
    ends = np.cumsum([prod(shape) for shape in shapes.values()])[:-1]
    values = {
        name: part.reshape(len(inputs), *shape)
        for (name, shape), part in zip(shapes.items(), np.split(flat, ends, axis=1), strict=True)
    }
    constants = {name: np.asarray(value, np.int8) for name, value in graph.constants.items() if value.dtype == np.int8}
    size = max(1, _BATCH_BYTES // max(_working_bytes(graph, op) for op in graph.ops))
    # An empty input still makes one (empty) batch, so that outputs have their shapes.
    return [
        {**constants, **{name: value[start : start + size] for name, value in values.items()}}
        for start in range(0, max(len(inputs), 1), size)
    ]


def _working_bytes(graph: Graph, op: Op) -> int:
    """Bytes of temporaries for one sample: float64 patches, and a few int64 arrays of the output's size."""
    patches = patch_elements(graph, op) if isinstance(op, Weighted) else 0
    return 8 * (patches + graph.tensor(op_inputs(op)[0]).elements + 4 * graph.tensor(op.output).elements)


def execute(graph: Graph, op: Op, values: Mapping[str, Int8]) -> Int8:
    """The output of ``op``; constants among ``values`` count as one sample that fits all."""
    inputs = [values[name] for name in op_inputs(op)]
    if isinstance(op, Weighted):
        return weighted(graph, op, inputs[0])
    if isinstance(op, Elementwise):
        return _elementwise(graph, op, *inputs)
    if isinstance(op, Pool):
        return _pool(graph, op, inputs[0])
    if isinstance(op, Movement):
        return _move(op, inputs)
    if isinstance(op, Lookup):
        table: Int8 = values[op.table]
        return table[inputs[0].astype(np.int16) + 128]
    if isinstance(op, Softmax):
        return probabilities(inputs[0], parameters(graph, op))
    if isinstance(op, Mean):
        return _mean(graph, op, inputs[0])
    return _resize(op, inputs[0])


def _elementwise(graph: Graph, op: Elementwise, left: Int8, right: Int8) -> Int8:
    if isinstance(op, Mul):
        mul = parameters(graph, op)
        product = (left.astype(np.int64) + mul.left_offset) * (right.astype(np.int64) + mul.right_offset)
        scaled = requantize(product, mul.factor.multiplier, mul.factor.shift)
        return np.clip(scaled + mul.output_offset, *mul.clamp).astype(np.int8)
    derived = parameters(graph, op)

    def enlarged(x: Int8, offset: int, factor: FixedPoint) -> NDArray[np.int64]:
        return requantize((x.astype(np.int64) + offset) << derived.left_shift, factor.multiplier, factor.shift)

    first = enlarged(left, derived.left_offset, derived.left)
    second = enlarged(right, derived.right_offset, derived.right)
    total = first + second if isinstance(op, Add) else first - second
    scaled = requantize(total, derived.output.multiplier, derived.output.shift)
    return np.clip(scaled + derived.output_offset, *derived.clamp).astype(np.int8)


def _pool(graph: Graph, op: Pool, x: Int8) -> Int8:
    derived = parameters(graph, op)
    top, bottom, left, right = op.padding
    around = ((0, 0), (top, bottom), (left, right), (0, 0))
    if not isinstance(op, AveragePool2D):
        padded = np.pad(x, around, constant_values=-128)
        largest = windows(padded, op.window, op.stride).max(axis=(4, 5))
        return np.asarray(np.clip(largest, *derived.clamp), np.int8)
    sums = windows(np.pad(x, around), op.window, op.stride).sum(axis=(4, 5), dtype=np.int64)
    inside = np.pad(np.ones((1, *x.shape[1:]), np.int64), around)
    counts = windows(inside, op.window, op.stride).sum(axis=(4, 5))
    # C's division truncates, so adding half the count away from zero first rounds ties away from zero.
    means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return np.asarray(np.clip(means, *derived.clamp), dtype=np.int8)


def _mean(graph: Graph, op: Mean, x: Int8) -> Int8:
    derived = parameters(graph, op)
    sums = x.sum(axis=op.axes, keepdims=True, dtype=np.int64) + derived.sum_offset
    scaled = requantize(sums, derived.factor.multiplier, derived.factor.shift)
    return np.clip(scaled + derived.output_offset, -128, 127).astype(np.int8)


def _move(op: Movement, inputs: list[Int8]) -> Int8:
    x = inputs[0]
    if isinstance(op, Reshape):
        return x.reshape(len(x), *op.shape[1:])
    if isinstance(op, Transpose):
        return x.transpose(op.permutation)
    if isinstance(op, Slice):
        for axis, (begin, stride, count) in enumerate(zip(op.begin, op.stride, op.shape, strict=True)):
            if axis:
                x = x.take(begin + stride * np.arange(count), axis)
        return x
    if isinstance(op, Pad):
        return np.pad(x, op.padding, constant_values=op.value)
    samples = max(map(len, inputs))
    return np.concatenate([np.broadcast_to(part, (samples, *part.shape[1:])) for part in inputs], op.axis)


def _resize(op: Resize, x: Int8) -> Int8:
    if op.method == "nearest":
        rows, columns = (resizing.nearest(op, x.shape[1 + axis], axis) for axis in (0, 1))
        return x[:, rows][:, :, columns]
    y, z = (resizing.bilinear(op, x.shape[1 + axis], axis) for axis in (0, 1))
    wide = x.astype(np.int64)
    down, across = y.weight[:, None, None], z.weight[:, None]
    upper = wide[:, y.low][:, :, z.low] * (resizing.ONE - across) + wide[:, y.low][:, :, z.high] * across
    lower = wide[:, y.high][:, :, z.low] * (resizing.ONE - across) + wide[:, y.high][:, :, z.high] * across
    # The two weights have 20 fractional bits together; beyond the edges the result may leave int8 and wraps, as in C.
    total = np.asarray(upper * (resizing.ONE - down) + lower * down, np.int64)
    return rounding_divide(total, 20).astype(np.int8)
