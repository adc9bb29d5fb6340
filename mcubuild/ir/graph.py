"""The quantised graph: tensors, operators, constants.

Activations are NHWC with a leading batch dimension of 1 and int8 with one scale and zero point a tensor; weights are
symmetric with one scale an output channel; biases are int32. These are the conventions of TensorFlow Lite's 8-bit
quantisation specification (https://ai.google.dev/edge/litert/models/quantization_spec).

A graph without constants and quantisation is a *skeleton*: enough to plan memory and to estimate Flash and cycles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal, TypeAlias

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
    dtype: Literal["int8", "int32"] = "int8"
    bits: int = 8
    """Bits an element takes in Flash: 8, or 4 for weights packed two to a byte; 32 for int32."""
    quantization: Quantization | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.elements * 4 if self.dtype == "int32" else (self.elements * self.bits + 7) // 8


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


@dataclass(frozen=True)
class DepthwiseConv2D:
    """Depthwise convolution with one filter a channel.

    input (1, H, W, C), weights (1, KH, KW, C), bias (C,) int32 -> output (1, OH, OW, C).
    """

    input: str
    weights: str
    bias: str
    output: str
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8


@dataclass(frozen=True)
class FullyConnected:
    """Matrix product: input (1, ...) of C elements, weights (N, C), bias (N,) int32 -> output (1, N)."""

    input: str
    weights: str
    bias: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class Add:
    """Element-wise sum of two tensors of equal shape -> output of that shape."""

    left: str
    right: str
    output: str
    clamp: Clamp = INT8


@dataclass(frozen=True)
class AveragePool2D:
    """Average over windows that lie inside the input; input and output share scale and zero point.

    input (1, H, W, C) -> output (1, OH, OW, C); a window of (H, W) is the global average.
    """

    input: str
    output: str
    window: Pair
    stride: Pair = (1, 1)
    clamp: Clamp = INT8


Op: TypeAlias = Conv2D | DepthwiseConv2D | FullyConnected | Add | AveragePool2D
Weighted: TypeAlias = Conv2D | DepthwiseConv2D | FullyConnected
"""Operators with weights and a bias."""


def op_inputs(op: Op) -> tuple[str, ...]:
    """Names of the activations that ``op`` reads."""
    return (op.left, op.right) if isinstance(op, Add) else (op.input,)


def op_constants(op: Op) -> tuple[str, ...]:
    """Names of the constants that ``op`` reads."""
    return (op.weights, op.bias) if isinstance(op, Weighted) else ()


def same_padding(size: Pair, kernel: Pair, stride: Pair) -> Padding:
    """TensorFlow's SAME padding: output = ceil(size / stride), the odd pixel at the bottom and right."""
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
    constants: Mapping[str, NDArray[np.int8] | NDArray[np.int32]] = field(default_factory=dict)
    """Values of the constant tensors by name, one element an int8 or int32 (also where ``bits`` is 4)."""

    def __post_init__(self) -> None:
        """Check that every tensor is produced once, before it is read, with the shape its operator gives it.

        Raises:
            ValueError: naming the operator by index and kind, and the tensor.
        """
        ready = set(self.inputs)
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

    def with_values(
        self, tensors: Mapping[str, Tensor], constants: Mapping[str, NDArray[np.int8] | NDArray[np.int32]]
    ) -> "Graph":
        """The same operators with quantised ``tensors`` and ``constants``."""
        return replace(self, tensors=dict(tensors), constants=dict(constants))


def _window_shape(size: Shape, kernel: Pair, stride: Pair, padding: Padding) -> Pair:
    top, bottom, left, right = padding
    return (size[1] + top + bottom - kernel[0]) // stride[0] + 1, (size[2] + left + right - kernel[1]) // stride[1] + 1


def output_shape(graph: Graph, op: Op) -> Shape:
    """The shape that ``op`` gives its output.

    Raises:
        ValueError: the operator's inputs do not fit together.
    """
    shape = graph.tensor(op_inputs(op)[0]).shape
    if isinstance(op, Add):
        if graph.tensor(op.right).shape != shape:
            raise ValueError(
                f"Add of {op.left!r} {shape} and {op.right!r} {graph.tensor(op.right).shape}: shapes differ"
            )
        return shape
    if isinstance(op, AveragePool2D):
        return (1, *_window_shape(shape, op.window, op.stride, (0, 0, 0, 0)), shape[3])
    weights = graph.tensor(op.weights).shape
    if isinstance(op, FullyConnected):
        if weights[1] != prod(shape):
            raise ValueError(
                f"FullyConnected of {op.input!r} {shape} with weights {weights}: must have {prod(shape)} columns"
            )
        return (1, weights[0])
    if weights[3] != shape[3]:
        raise ValueError(f"{type(op).__name__} of {op.input!r} {shape} with weights {weights}: channels differ")
    channels = weights[0] if isinstance(op, Conv2D) else shape[3]
    return (1, *_window_shape(shape, (weights[1], weights[2]), op.stride, op.padding), channels)


def macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of ``op``, padding included, as papers count them; 0 for operators without weights."""
    if not isinstance(op, Weighted):
        return 0
    weights, output = graph.tensor(op.weights), graph.tensor(op.output)
    if isinstance(op, FullyConnected):
        return weights.elements
    if isinstance(op, DepthwiseConv2D):
        return output.elements * weights.shape[1] * weights.shape[2]
    return output.elements * prod(weights.shape[1:])


def total_macs(graph: Graph) -> int:
    """Multiply-accumulates of an inference."""
    return sum(macs(graph, op) for op in graph.ops)
