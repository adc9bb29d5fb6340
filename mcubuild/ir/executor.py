"""The integer reference executor: what every other implementation of a graph must equal, bit for bit.

It follows the reference kernels of TensorFlow Lite Micro.
"""

from collections.abc import Mapping
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir import interpolation, resizing
from mcubuild.ir.arithmetic import requantize, requantize_wide, rounding_divide
from mcubuild.ir.graph import (
    BYTES,
    INT8,
    Add,
    ArgMax,
    AveragePool2D,
    Elementwise,
    Gather,
    Graph,
    L2Normalize,
    Levels,
    LogSoftmax,
    Lookup,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Movement,
    Mul,
    Op,
    Pad,
    Pool,
    Prelu,
    ReduceMax,
    Rescale,
    Reshape,
    Resize,
    Shape,
    Sigmoid,
    Slice,
    Softmax,
    SquaredDifference,
    Sum,
    Transpose,
    Weighted,
    WideSoftmax,
    op_inputs,
)
from mcubuild.ir.parameters import FixedPoint, parameters
from mcubuild.ir.products import patch_elements, weighted, windows
from mcubuild.ir.softmax import logarithms, probabilities
from mcubuild.ir.transcendental import inverse_root

Int8: TypeAlias = NDArray[np.int8]

_BATCH_BYTES = 1 << 25
"""Working memory of a batch: large enough to keep BLAS busy, small enough to stay near the caches."""


def run(graph: Graph, inputs: Int8) -> Int8:
    """The graph's output for each sample.

    Args:
        graph: a quantised graph.
        inputs: int8 (N, ...), one sample of the input's shape (without its batch dimension) a row. Of a graph with
            several inputs, or of int16: int8 (N, bytes), the flattened inputs' bytes side by side, low bytes first.

    Returns:
        int8 (N, ...), the output without its batch dimension a row; equal for every split into batches. Of a graph with
        several outputs, or of int16: int8 (N, bytes), the flattened outputs' bytes side by side, low bytes first.

    Raises:
        ValueError: the graph has no values, or the inputs do not fit it.
    """
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op_inputs(op)}
    kept = {*graph.outputs, *graph.constants}
    results = []
    plain = _plain(graph, graph.outputs)
    for values in _batches(graph, inputs):
        for index, op in enumerate(graph.ops):
            values[op.output] = execute(graph, op, values)
            for name in op_inputs(op):
                if last_use[name] == index and name not in kept:
                    values.pop(name, None)
        outputs = [values[name] for name in graph.outputs]
        count = len(outputs[0])
        results.append(outputs[0] if plain else np.hstack([_bytes(part, count) for part in outputs]))
    return np.concatenate(results)


def _plain(graph: Graph, names: tuple[str, ...]) -> bool:
    """Whether samples are arrays of one int8 tensor, rather than bytes."""
    return len(names) == 1 and graph.tensor(names[0]).dtype == "int8"


def _bytes(x: Levels, count: int) -> Int8:
    """(N, ...) as int8 (N, bytes), the low byte first."""
    flat = np.ascontiguousarray(x).reshape(count, prod(x.shape[1:]))
    return flat.astype(flat.dtype.newbyteorder("<"), copy=False).view(np.int8)


def sample_shape(graph: Graph) -> Shape:
    """Shape of a sample as ``run`` takes it: that of the input without its batch, or bytes of all inputs together."""
    if _plain(graph, graph.inputs):
        return graph.tensor(graph.inputs[0]).shape[1:]
    return (sum(graph.tensor(name).nbytes for name in graph.inputs),)


def run_all(graph: Graph, inputs: Int8) -> dict[str, Levels]:
    """Every activation by name, the inputs included, for each sample; for tests and debugging.

    Arguments, shapes and errors as for ``run``; memory grows with the number of samples.
    """
    results: dict[str, list[Levels]] = {tensor.name: [] for tensor in graph.activations()}
    for values in _batches(graph, inputs):
        for op in graph.ops:
            values[op.output] = execute(graph, op, values)
        for name, parts in results.items():
            parts.append(values[name])
    return {name: np.concatenate(parts) for name, parts in results.items()}


def _batches(graph: Graph, inputs: Int8) -> "list[dict[str, Levels]]":
    """Constants and the inputs' values, cut into batches that fit the working memory."""
    tensors = [graph.tensor(name) for name in graph.inputs]
    expected = sample_shape(graph)
    if inputs.dtype != np.int8 or inputs.shape[1:] != expected:
        raise ValueError(f"inputs are {inputs.dtype}{inputs.shape}, must be int8 (N, {', '.join(map(str, expected))})")
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), prod(expected)))
    ends = np.cumsum([tensor.nbytes for tensor in tensors])[:-1]
    values: dict[str, Any] = {
        tensor.name: np.ascontiguousarray(part).view(f"<i{BYTES[tensor.dtype]}").reshape(-1, *tensor.shape[1:])
        for tensor, part in zip(tensors, np.split(flat, ends, axis=1), strict=True)
    }
    kinds = (np.int8, np.int16)
    constants: dict[str, Any] = {name: value for name, value in graph.constants.items() if value.dtype in kinds}
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


def execute(graph: Graph, op: Op, values: Mapping[str, Levels]) -> Levels:
    """The output of ``op``; constants among ``values`` count as one sample that fits all."""
    return np.asarray(_computed(graph, op, values), graph.tensor(op.output).dtype)


def _computed(graph: Graph, op: Op, values: Mapping[str, Levels]) -> NDArray[Any]:
    """The same, as integers of any type."""
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
        return values[op.table][inputs[0].astype(np.int16) + 128]
    if isinstance(op, Rescale):
        return _rescale(graph, op, inputs[0])
    if isinstance(op, Sigmoid):
        return interpolation.sigmoid(op, inputs[0], parameters(graph, op))
    if isinstance(op, L2Normalize):
        return _l2_normalize(graph, op, inputs[0])
    if isinstance(op, MatMul):
        return _mat_mul(graph, op, *inputs)
    if isinstance(op, ArgMax):
        return np.expand_dims(inputs[0].argmax(axis=op.axis), op.axis)
    if isinstance(op, Softmax):
        return probabilities(inputs[0], parameters(graph, op))
    if isinstance(op, LogSoftmax):
        return logarithms(inputs[0], parameters(graph, op))
    if isinstance(op, WideSoftmax):
        return interpolation.probabilities(inputs[0], parameters(graph, op))
    if isinstance(op, ReduceMax):
        return np.asarray(inputs[0].max(axis=op.axes, keepdims=True))
    if isinstance(op, Mean | Sum):
        return _mean(graph, op, inputs[0])
    return _resize(op, inputs[0])


def _elementwise(graph: Graph, op: Elementwise, left: Levels, right: Levels) -> NDArray[Any]:
    if isinstance(op, Maximum | Minimum):
        return np.asarray((np.maximum if isinstance(op, Maximum) else np.minimum)(left, right))
    if isinstance(op, Prelu):
        return _prelu(graph, op, left, right)
    if isinstance(op, Mul):
        mul = parameters(graph, op)
        product = (left.astype(np.int64) + mul.left_offset) * (right.astype(np.int64) + mul.right_offset)
        scaled = requantize(product, mul.factor.multiplier, mul.factor.shift)
        return np.clip(scaled + mul.output_offset, *mul.clamp)
    derived = parameters(graph, op)

    def enlarged(x: Levels, offset: int, factor: FixedPoint) -> NDArray[np.int64]:
        return requantize((x.astype(np.int64) + offset) << derived.left_shift, factor.multiplier, factor.shift)

    first = enlarged(left, derived.left_offset, derived.left)
    second = enlarged(right, derived.right_offset, derived.right)
    total = first + second if isinstance(op, Add) else first - second
    if isinstance(op, SquaredDifference):
        total = total * total
    scaled = requantize(total, derived.output.multiplier, derived.output.shift)
    return np.clip(scaled + derived.output_offset, *derived.clamp)


def _prelu(graph: Graph, op: Prelu, left: Levels, right: Levels) -> NDArray[Any]:
    derived = parameters(graph, op)
    x = left.astype(np.int64) + derived.left_offset
    kept = requantize(x, derived.kept.multiplier, derived.kept.shift)
    leaked = x * (right.astype(np.int64) + derived.right_offset)
    below = requantize(leaked, derived.leaked.multiplier, derived.leaked.shift)
    return np.asarray(np.clip(np.where(x >= 0, kept, below) + derived.output_offset, *graph.tensor(op.output).limits))


def _pool(graph: Graph, op: Pool, x: Levels) -> NDArray[Any]:
    derived = parameters(graph, op)
    top, bottom, left, right = op.padding
    around = ((0, 0), (top, bottom), (left, right), (0, 0))
    if not isinstance(op, AveragePool2D):
        padded = np.pad(x, around, constant_values=graph.tensor(op.input).limits[0])
        largest = windows(padded, op.window, op.stride).max(axis=(4, 5))
        return np.asarray(np.clip(largest, *derived.clamp))
    sums = windows(np.pad(x, around), op.window, op.stride).sum(axis=(4, 5), dtype=np.int64)
    inside = np.pad(np.ones((1, *x.shape[1:]), np.int64), around)
    counts = windows(inside, op.window, op.stride).sum(axis=(4, 5))
    # C's division truncates, so adding half the count away from zero first rounds ties away from zero.
    means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return np.asarray(np.clip(means, *derived.clamp))


def _rescale(graph: Graph, op: Rescale, x: Levels) -> NDArray[Any]:
    derived = parameters(graph, op)
    centred = x.astype(np.int64) + derived.input_offset
    factors = derived.factor, derived.below
    above, below = (requantize(centred, factor.multiplier, factor.shift) for factor in factors)
    return np.asarray(np.clip(np.where(centred >= 0, above, below) + derived.output_offset, *derived.clamp))


def _l2_normalize(graph: Graph, op: L2Normalize, x: Levels) -> NDArray[Any]:
    centred = x.astype(np.int64) + parameters(graph, op).input_offset
    factors = np.array([inverse_root(int(total)) for total in (centred * centred).sum(axis=-1).ravel()], np.int64)
    multiplier, shift = (factors[:, k].reshape(*x.shape[:-1], 1) for k in (0, 1))
    return np.asarray(np.clip(requantize(centred, multiplier, shift + 7), *INT8))


def _mat_mul(graph: Graph, op: MatMul, left: Levels, right: Levels) -> NDArray[Any]:
    derived = parameters(graph, op)
    first = left.astype(np.float64) + derived.left_offset
    second = right.astype(np.float64) + derived.right_offset
    first, second = (
        x.swapaxes(-1, -2) if turned else x for x, turned in zip((first, second), op.transposed, strict=True)
    )
    sums = np.matmul(first, second).astype(np.int64)  # exact: below 2**53
    scaled = (requantize_wide if left.dtype == np.int16 else requantize)(
        sums, derived.factor.multiplier, derived.factor.shift
    )
    return np.asarray(np.clip(scaled + derived.output_offset, *graph.tensor(op.output).limits))


def _mean(graph: Graph, op: Mean | Sum, x: Levels) -> NDArray[Any]:
    derived = parameters(graph, op)
    sums = x.sum(axis=op.axes, keepdims=True, dtype=np.int64) + derived.sum_offset
    scaled = requantize(sums, derived.factor.multiplier, derived.factor.shift)
    return np.clip(scaled + derived.output_offset, *graph.tensor(op.output).limits)


def _move(op: Movement, inputs: list[Levels]) -> NDArray[Any]:
    x: NDArray[Any] = inputs[0]
    if isinstance(op, Reshape):
        return x.reshape(len(x), *op.shape[1:])
    if isinstance(op, Transpose):
        return x.transpose(op.permutation)
    if isinstance(op, Slice):
        for axis, (begin, stride, count) in enumerate(zip(op.begin, op.stride, op.shape, strict=True)):
            if axis:
                x = x.take(begin + stride * np.arange(count), axis)
        return x
    if isinstance(op, Gather):
        return np.asarray(x.take(op.indices, op.axis))
    if isinstance(op, Pad):
        return np.pad(x, op.padding, constant_values=op.value)
    samples = max(map(len, inputs))
    return np.concatenate([np.broadcast_to(part, (samples, *part.shape[1:])) for part in inputs], op.axis)


def _resize(op: Resize, x: Levels) -> NDArray[Any]:
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
