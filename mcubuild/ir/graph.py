"""The quantised graph: tensors, operators, constants.

Activations are NHWC with a leading batch dimension of 1 and int8 with one scale and zero point a tensor, or int16 with
zero point 0; weights are symmetric with one scale an output channel; biases are int32 or, of int16 activations, int64.
These are the conventions of TensorFlow Lite's quantisation specification
(https://ai.google.dev/edge/litert/models/quantization_spec), the latter those of its 16x8 mode.

A graph without constants and quantisation is a *skeleton*: enough to plan memory and to estimate Flash and cycles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
"""Height, width."""
Padding: TypeAlias = tuple[int, int, int, int]
"""Top, bottom, left, right, in pixels; padded pixels hold the input's zero point."""
Clamp: TypeAlias = tuple[int, int]
"""Smallest and largest output value, both inclusive: the fused activation."""

INT8: Clamp = (-128, 127)
INT16: Clamp = (-32768, 32767)

Dtype: TypeAlias = Literal["int8", "int16", "int32", "int64"]
BYTES: Mapping[Dtype, int] = {"int8": 1, "int16": 2, "int32": 4, "int64": 8}
"""Of an element."""
Levels: TypeAlias = NDArray[Any]
"""Values of an activation, int8 or int16."""
Constant: TypeAlias = NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point), with float32 scales: one for the tensor, or one for each index of ``axis``."""

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None


@dataclass(frozen=True)
class Tensor:
    """A named array: an activation, or a constant if the graph's ``constants`` hold its values."""

    name: str
    shape: Shape
    dtype: Dtype = "int8"
    bits: int = 8
    """Bits that weights take in Flash: 8, or 4 for those packed two to a byte; 32 and more for biases."""
    quantization: Quantization | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return (self.elements * self.bits + 7) // 8 if self.dtype == "int8" else self.elements * BYTES[self.dtype]

    @property
    def limits(self) -> Clamp:
        """Smallest and largest value that an activation can have."""
        return INT16 if self.dtype == "int16" else INT8  # int32 is an index, which nothing is clamped to


@dataclass(frozen=True)
class Conv2D:
    """Convolution.

    input (1, H, W, C), weights (N, KH, KW, C), bias (N,) int32 -> output (1, OH, OW, N).
    """

    input: str
    weights: str
    bias: str
    output: str
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8
    dilation: Pair = (1, 1)


@dataclass(frozen=True)
class DepthwiseConv2D:
    """Depthwise convolution with M filters a channel; output channel n belongs to input channel n // M.

    input (1, H, W, C), weights (1, KH, KW, C * M), bias (C * M,) int32 -> output (1, OH, OW, C * M).
    """

    input: str
    weights: str
    bias: str
    output: str
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8
    dilation: Pair = (1, 1)


@dataclass(frozen=True)
class TransposeConv2D:
    """Transposed convolution: every pixel adds its value times the filters to a window of the output.

    input (1, H, W, C), weights (N, KH, KW, C), bias (N,) int32 -> output (1, *size, N). The window of pixel (y, x)
    begins at (y * stride - top, x * stride - left); what lies outside the output is dropped.
    """

    input: str
    weights: str
    bias: str
    output: str
    size: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8


@dataclass(frozen=True)
class FullyConnected:
    """Matrix product of R rows: input (1, ...) of R * C elements, weights (N, C), bias (N,) int32 -> output (1, N).

    The output of several rows is (1, R, N).
    """

    input: str
    weights: str
    bias: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class Add:
    """Element-wise sum of two tensors; sizes of 1 are repeated as in numpy -> output of the joint shape."""

    left: str
    right: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class Sub:
    """Element-wise left - right; sizes of 1 are repeated as in numpy -> output of the joint shape."""

    left: str
    right: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class Mul:
    """Element-wise product; sizes of 1 are repeated as in numpy -> output of the joint shape."""

    left: str
    right: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class Maximum:
    """Element-wise larger one of two tensors of one scale and zero point; shapes as of Add."""

    left: str
    right: str
    output: str


@dataclass(frozen=True)
class Minimum:
    """Element-wise smaller one of two tensors of one scale and zero point; shapes as of Add."""

    left: str
    right: str
    output: str


@dataclass(frozen=True)
class SquaredDifference:
    """Element-wise (left - right)**2; shapes as of Add."""

    left: str
    right: str
    output: str


@dataclass(frozen=True)
class Prelu:
    """Left, times right where left is negative; shapes as of Add."""

    left: str
    right: str
    output: str


@dataclass(frozen=True)
class Lookup:
    """Any function of single elements: table[input + 128], table (256,) int8 -> output of the input's shape."""

    input: str
    table: str
    output: str


@dataclass(frozen=True)
class Rescale:
    """Single elements at another scale or of another type; those below zero are multiplied by ``slope`` first.

    input -> output of the input's shape. Of int8 alone ``Lookup`` does the same, and more.
    """

    input: str
    output: str
    slope: float = 1.0
    clamp: Clamp = INT16


@dataclass(frozen=True)
class Sigmoid:
    """A function of single elements, interpolated in a table: int16 input -> int16 output, scale 1/32768."""

    input: str
    output: str
    function: Literal["logistic", "tanh"]


@dataclass(frozen=True)
class Softmax:
    """Softmax of beta * input over the last axis -> output of the input's shape, scale 1/256, zero point -128."""

    input: str
    output: str
    beta: float = 1.0


@dataclass(frozen=True)
class LogSoftmax:
    """Logarithm of the softmax over the last axis -> output of the input's shape, scale 1/16, zero point 127."""

    input: str
    output: str


@dataclass(frozen=True)
class WideSoftmax:
    """Softmax of beta * input over the last axis: int16 -> int16 output of the input's shape, scale 1/32768."""

    input: str
    output: str
    beta: float = 1.0


@dataclass(frozen=True)
class L2Normalize:
    """Input divided by the root of its sum of squares over the last axis -> output, scale 1/128, zero point 0."""

    input: str
    output: str


@dataclass(frozen=True)
class MatMul:
    """Products of matrices, the last two axes: left (..., A, B) times right (..., B, C) -> output (..., A, C).

    The axes before are repeated as in numpy; either operand may lie transposed.
    """

    left: str
    right: str
    output: str
    transposed: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class ArgMax:
    """Index of the first largest element along ``axis`` -> output int32 of the input's shape with size 1 there."""

    input: str
    output: str
    axis: int


@dataclass(frozen=True)
class AveragePool2D:
    """Average over the part of each window that lies inside the input; input and output share scale and zero point.

    input (1, H, W, C) -> output (1, OH, OW, C); a window of (H, W) is the global average.
    """

    input: str
    output: str
    window: Pair
    stride: Pair = (1, 1)
    clamp: Clamp = INT8
    padding: Padding = (0, 0, 0, 0)


@dataclass(frozen=True)
class MaxPool2D:
    """Largest element of each window; input and output share scale and zero point.

    input (1, H, W, C) -> output (1, OH, OW, C).
    """

    input: str
    output: str
    window: Pair
    stride: Pair = (1, 1)
    clamp: Clamp = INT8
    padding: Padding = (0, 0, 0, 0)


@dataclass(frozen=True)
class Mean:
    """Mean over ``axes``, with its own scale -> output of the input's shape with sizes of 1 at ``axes``."""

    input: str
    output: str
    axes: Shape


@dataclass(frozen=True)
class Sum:
    """Sum over ``axes``, with its own scale -> output of the input's shape with sizes of 1 at ``axes``."""

    input: str
    output: str
    axes: Shape


@dataclass(frozen=True)
class ReduceMax:
    """Largest element over ``axes`` -> output of the input's scale, and its shape with sizes of 1 at ``axes``."""

    input: str
    output: str
    axes: Shape


@dataclass(frozen=True)
class Reshape:
    """The same elements in the same order -> output of ``shape``."""

    input: str
    output: str
    shape: Shape


@dataclass(frozen=True)
class Transpose:
    """Axis i of the output is axis ``permutation[i]`` of the input; the first stays."""

    input: str
    output: str
    permutation: Shape


@dataclass(frozen=True)
class Slice:
    """Every ``stride``-th element of each axis from ``begin`` on, backwards where negative -> output of ``shape``."""

    input: str
    output: str
    begin: Shape
    stride: Shape
    shape: Shape


@dataclass(frozen=True)
class Gather:
    """Element i along ``axis`` of the output is element ``indices[i]`` of the input."""

    input: str
    output: str
    axis: int
    indices: Shape


@dataclass(frozen=True)
class Pad:
    """``value`` added (before, after) each axis -> output of the larger shape."""

    input: str
    output: str
    padding: tuple[Pair, ...]
    value: int


@dataclass(frozen=True)
class Concat:
    """Tensors of one scale and zero point joined along ``axis`` -> output."""

    inputs: tuple[str, ...]
    output: str
    axis: int


@dataclass(frozen=True)
class Resize:
    """Height and width changed, by the nearest pixel or bilinearly: input (1, H, W, C) -> output (1, *size, C)."""

    input: str
    output: str
    size: Pair
    method: Literal["nearest", "bilinear"]
    align_corners: bool = False
    half_pixel_centers: bool = False


Weighted: TypeAlias = Conv2D | DepthwiseConv2D | TransposeConv2D | FullyConnected
"""Operators with weights and a bias."""
Elementwise: TypeAlias = Add | Sub | Mul | Maximum | Minimum | SquaredDifference | Prelu
"""Operators with two operands."""
Pool: TypeAlias = AveragePool2D | MaxPool2D
Reduction: TypeAlias = Mean | Sum | ReduceMax
"""Operators that make one element of many along some axes."""
Movement: TypeAlias = Reshape | Transpose | Slice | Gather | Pad | Concat
"""Operators that compute nothing."""
Unary: TypeAlias = Lookup | Rescale | Sigmoid | Softmax | LogSoftmax | WideSoftmax | L2Normalize
"""Operators whose output has the shape of their only operand."""
Op: TypeAlias = Weighted | Elementwise | Pool | Movement | Unary | Reduction | Resize | MatMul | ArgMax


def op_inputs(op: Op) -> tuple[str, ...]:
    """Names of the tensors that ``op`` computes on: activations, or constants where an operand is one."""
    if isinstance(op, Elementwise | MatMul):
        return op.left, op.right
    return op.inputs if isinstance(op, Concat) else (op.input,)


def op_constants(op: Op) -> tuple[str, ...]:
    """Names of the constants that belong to ``op``."""
    if isinstance(op, Weighted):
        return op.weights, op.bias
    return (op.table,) if isinstance(op, Lookup) else ()


def same_padding(size: Pair, kernel: Pair, stride: Pair) -> Padding:
    """TensorFlow's SAME padding: output = ceil(size / stride), the odd pixel at the bottom and right.

    The kernel of a dilated convolution counts with its gaps (``dilated``).
    """
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2


@dataclass(frozen=True)
class Graph:
    """A network: operators in the order in which they run."""

    name: str
    tensors: Mapping[str, Tensor]
    """By name, in the order of definition."""
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant] = field(default_factory=dict)
    """Values of the constant tensors by name, one element a number of their type (also where ``bits`` is 4)."""

    def __post_init__(self) -> None:
        """Check that every tensor is produced once, before it is read, with the shape its operator gives it.

        Raises:
            ValueError: naming the operator by index and kind, and the tensor.
        """
        ready = {*self.inputs, *self.constants}
        for index, op in enumerate(self.ops):
            where = f"operator {index} ({type(op).__name__})"
            for name in (*op_inputs(op), *op_constants(op), op.output):
                if name not in self.tensors:
                    raise ValueError(f"{where}: unknown tensor {name!r}")
            for name in op_inputs(op):
                if name not in ready:
                    raise ValueError(f"{where}: reads {name!r} before any operator writes it")
            if op.output in ready:
                raise ValueError(f"{where}: writes {op.output!r}, which has a value already")
            expected = output_shape(self, op)
            if self.tensors[op.output].shape != expected:
                raise ValueError(
                    f"{where}: output {op.output!r} has shape {self.tensors[op.output].shape}, must be {expected}"
                )
            ready.add(op.output)
        for name in self.outputs:
            if name not in ready:
                raise ValueError(f"output {name!r} is never written")
        for name, values in self.constants.items():
            if values.shape != self.tensors[name].shape or values.dtype != self.tensors[name].dtype:
                raise ValueError(
                    f"constant {name!r}: values {values.dtype}{values.shape} do not match {self.tensors[name]}"
                )

    def tensor(self, name: str) -> Tensor:
        """The tensor called ``name``."""
        return self.tensors[name]

    def activations(self) -> list[Tensor]:
        """Inputs, then what each operator writes, in order."""
        return [self.tensors[name] for name in (*self.inputs, *(op.output for op in self.ops))]

    def with_values(self, tensors: Mapping[str, Tensor], constants: Mapping[str, Constant]) -> "Graph":
        """The same operators with quantised ``tensors`` and ``constants``."""
        return replace(self, tensors=dict(tensors), constants=dict(constants))


def dilated(kernel: Pair, dilation: Pair) -> Pair:
    """Height and width that a kernel with gaps covers."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def _window_shape(size: Shape, kernel: Pair, stride: Pair, padding: Padding) -> Pair:
    top, bottom, left, right = padding
    return (size[1] + top + bottom - kernel[0]) // stride[0] + 1, (size[2] + left + right - kernel[1]) // stride[1] + 1


def output_shape(graph: Graph, op: Op) -> Shape:
    """The shape that ``op`` gives its output.

    Raises:
        ValueError: the operator's inputs do not fit together.
    """
    shape = graph.tensor(op_inputs(op)[0]).shape
    if isinstance(op, Weighted):
        return _weighted_shape(op, shape, graph.tensor(op.weights).shape)
    if isinstance(op, Elementwise):
        right = graph.tensor(op.right).shape
        try:
            return np.broadcast_shapes(shape, right)
        except ValueError:
            raise ValueError(
                f"{type(op).__name__} of {op.left!r} {shape} and {op.right!r} {right}: shapes differ"
            ) from None
    if isinstance(op, Pool):
        return (1, *_window_shape(shape, op.window, op.stride, op.padding), shape[3])
    if isinstance(op, ArgMax):
        return tuple(1 if axis == op.axis else size for axis, size in enumerate(shape))
    if isinstance(op, MatMul):
        return _product_shape(op, shape, graph.tensor(op.right).shape)
    if isinstance(op, Reduction):
        return tuple(1 if axis in op.axes else size for axis, size in enumerate(shape))
    if isinstance(op, Resize):
        return (1, *op.size, shape[3])
    if isinstance(op, Unary):
        return shape
    return _moved_shape(op, [graph.tensor(name).shape for name in op_inputs(op)])


def matrix_shapes(op: MatMul, left: Shape, right: Shape) -> tuple[Shape, Shape]:
    """Shapes of the operands as they are multiplied: transposed back."""
    first, second = (
        (*shape[:-2], shape[-1], shape[-2]) if turned else shape
        for shape, turned in zip((left, right), op.transposed, strict=True)
    )
    return first, second


def _product_shape(op: MatMul, left: Shape, right: Shape) -> Shape:
    first, second = matrix_shapes(op, left, right)
    try:
        outer = np.broadcast_shapes(first[:-2], second[:-2])
    except ValueError:
        outer = ()
    if len(first) != len(second) or first[-1] != second[-2] or len(outer) != len(first) - 2:
        raise ValueError(f"MatMul of {op.left!r} {left} and {op.right!r} {right}: shapes do not go together")
    return (*outer, first[-2], second[-1])


def _weighted_shape(op: Weighted, shape: Shape, weights: Shape) -> Shape:
    if isinstance(op, FullyConnected):
        rows, rest = divmod(prod(shape), weights[1])
        if rest or not rows:
            raise ValueError(
                f"FullyConnected of {op.input!r} {shape} with weights {weights}: must have rows of {weights[1]}"
            )
        return (1, weights[0]) if rows == 1 else (1, rows, weights[0])
    depthwise = isinstance(op, DepthwiseConv2D)
    if weights[3] % shape[3] if depthwise else weights[3] != shape[3]:
        raise ValueError(f"{type(op).__name__} of {op.input!r} {shape} with weights {weights}: channels differ")
    channels = weights[3] if depthwise else weights[0]
    if isinstance(op, TransposeConv2D):
        return (1, *op.size, channels)
    kernel = dilated((weights[1], weights[2]), op.dilation)
    return (1, *_window_shape(shape, kernel, op.stride, op.padding), channels)


def _moved_shape(op: Movement, shapes: list[Shape]) -> Shape:
    shape = shapes[0]
    if isinstance(op, Reshape):
        if prod(op.shape) != prod(shape):
            raise ValueError(f"Reshape of {op.input!r} {shape} to {op.shape}: the number of elements differs")
        return op.shape
    if isinstance(op, Transpose):
        if sorted(op.permutation) != list(range(len(shape))) or op.permutation[0] != 0:
            raise ValueError(f"Transpose of {op.input!r} {shape}: {op.permutation} is no permutation of its axes")
        return tuple(shape[axis] for axis in op.permutation)
    if isinstance(op, Slice):
        for size, begin, stride, count in zip(shape, op.begin, op.stride, op.shape, strict=True):
            if not (0 <= begin < size and 0 <= begin + (count - 1) * stride < size):
                raise ValueError(f"Slice of {op.input!r} {shape}: reads outside")
        return op.shape
    if isinstance(op, Gather):
        if not all(0 <= index < shape[op.axis] for index in op.indices):
            raise ValueError(f"Gather of {op.input!r} {shape}: reads outside")
        return (*shape[: op.axis], len(op.indices), *shape[op.axis + 1 :])
    if isinstance(op, Pad):
        return tuple(before + size + after for size, (before, after) in zip(shape, op.padding, strict=True))
    for other in shapes:
        if other[: op.axis] != shape[: op.axis] or other[op.axis + 1 :] != shape[op.axis + 1 :]:
            raise ValueError(f"Concat along axis {op.axis} of {shape} and {other}: the other sizes differ")
    return (*shape[: op.axis], sum(other[op.axis] for other in shapes), *shape[op.axis + 1 :])


def macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of ``op``, padding included, as papers count them; 0 for operators without products."""
    if isinstance(op, MatMul):
        return (
            graph.tensor(op.output).elements * matrix_shapes(op, *(graph.tensor(n).shape for n in op_inputs(op)))[0][-1]
        )
    if not isinstance(op, Weighted):
        return 0
    weights, output = graph.tensor(op.weights), graph.tensor(op.output)
    if isinstance(op, DepthwiseConv2D):
        return output.elements * weights.shape[1] * weights.shape[2]
    if isinstance(op, TransposeConv2D):
        return graph.tensor(op.input).elements // weights.shape[3] * weights.elements
    return output.elements * prod(weights.shape[1:])


def total_macs(graph: Graph) -> int:
    """Multiply-accumulates of an inference."""
    return sum(macs(graph, op) for op in graph.ops)
