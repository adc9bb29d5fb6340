"""A quantised graph as an ONNX file: operators on real numbers between QuantizeLinear and DequantizeLinear (QDQ).

Images are (1, channels, height, width) there, as ONNX has them. The importer makes the same integers of it; runtimes
that compute in floating point between the two differ from them by a level a layer at times. Source: ONNX's
Operators.md, opset 13.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError, printable
from mcubuild.export.limits import untold
from mcubuild.ir.graph import INT8, Clamp, Graph, Op
from mcubuild.ir.ops.base import Clamping
from mcubuild.ir.ops.elementwise import Add, Maximum, Minimum, Mul, Sub
from mcubuild.ir.ops.movement import Concat, Movement, Pad, Reshape, Slice, Transpose
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D, Pool
from mcubuild.ir.ops.reduction import Mean, ReduceMax, Reduction
from mcubuild.ir.ops.softmax import Softmax
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, Weighted

OPSET: Final = 13
_IR: Final = 8
"""Version of the format that came with it."""
_FIRST: Final = (0, 3, 1, 2)
"""Axis i of an image with its channels first is axis ``_FIRST[i]`` of the graph's."""
_LAST: Final = (0, 2, 3, 1)
_MOST_BIAS: Final = 1 << 22
"""Up to which a bias is found again in its real value, of 24 bits."""


class UntellableError(ValueError):
    """There is no way to say it; the message goes on from the operator's place."""


def onnx_file(graph: Graph, name: str, description: str, classes: Sequence[str]) -> bytes:
    """``graph`` as an ONNX model, float32 outside.

    Raises:
        BuildError: the package onnx is not installed, or an operator has no counterpart; names it and its layer.
    """
    try:
        import onnx
    except ImportError:
        raise BuildError(f"{name}: writing ONNX takes one package more: pip install 'mcubuild[onnx]'.") from None
    w = _Writer(graph)
    for input_ in graph.inputs:
        w.levelled(f"{input_}/real", input_)
    for index, op in enumerate(graph.ops):
        try:
            w.operator(op)
        except UntellableError as error:
            instead = "format=tflite has more operators" if untold(graph, op) is None else "its C can be exported"
            raise BuildError(
                f"{name}: operator {index} ({type(op).__name__}), which writes {op.output!r}, {error}: the network "
                f"cannot be told as ONNX; {instead}."
            ) from None
    values = onnx.helper.make_tensor_value_info
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            w.nodes,
            printable(name),
            [values(f"{one}/real", onnx.TensorProto.FLOAT, w.shape(one)) for one in graph.inputs],
            [values(one, onnx.TensorProto.FLOAT, w.shape(one)) for one in graph.outputs],
            w.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name="mcubuild",
        doc_string=printable(description),
        ir_version=_IR,
    )
    if classes:
        onnx.helper.set_model_props(model, {"classes": json.dumps([printable(one) for one in classes])})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@dataclass
class _Writer:
    """Nodes and constants; every activation of the graph is a real value of its name."""

    graph: Graph
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor of the graph, as the file has it."""
        shape = self.graph.tensor(name).shape
        return tuple(shape[axis] for axis in _FIRST) if len(shape) == 4 else shape

    def axis(self, name: str, axis: int) -> int:
        """The file's axis that is the graph's."""
        return _FIRST.index(axis) if len(self.graph.tensor(name).shape) == 4 else axis

    def constant(self, name: str, values: Any) -> str:
        from onnx.numpy_helper import from_array

        self.constants.append(from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **options: Any) -> str:
        from onnx.helper import make_node

        self.nodes.append(make_node(kind, list(inputs), [output], name=output, **options))
        return output

    def levelled(self, real: str, name: str) -> None:
        """The graph's tensor ``name``: ``real`` through its levels."""
        if self.graph.tensor(name).dtype != "int8":
            raise UntellableError(f"computes {self.graph.tensor(name).dtype}, which must be int8")
        scale, zero = self.graph.scale(name)
        grid = (
            self.constant(f"{name}/scale", np.float32(scale)),
            self.constant(f"{name}/zero", np.int8(zero)),
        )
        self.node("DequantizeLinear", [self.node("QuantizeLinear", [real, *grid], f"{name}/levels"), *grid], name)

    def real(self, name: str) -> str:
        """An operand: an activation, or a constant on its levels."""
        values = self.graph.constants.get(name)
        if values is not None and not any(each.name == f"{name}/levels" for each in self.constants):
            scale, zero = self.graph.scale(name)
            moved = values.transpose(_FIRST) if values.ndim == 4 else values
            self.constant(f"{name}/levels", moved)
            grid = self.constant(f"{name}/scale", np.float32(scale)), self.constant(f"{name}/zero", np.int8(zero))
            self.node("DequantizeLinear", [f"{name}/levels", *grid], name)
        return name

    def weights(self, name: str, key: str, levels: NDArray[Any], scales: Sequence[float]) -> str:
        """Constants with a scale, or one for each index of their first axis."""
        several = len(scales) > 1
        scale = self.constant(f"{key}/scale", np.array(scales if several else scales[0], np.float32))
        zero = self.constant(f"{key}/zero", np.zeros(len(scales) if several else (), levels.dtype))
        inputs = [self.constant(f"{key}/levels", levels), scale, zero]
        return self.node("DequantizeLinear", inputs, key, **({"axis": 0} if several else {}))

    def operator(self, op: Op) -> None:
        """The graph's operator, and the levels behind it."""
        write = _WRITERS.get(type(op))
        if write is None:
            raise UntellableError("has no counterpart with the same bits")
        if (why := untold(self.graph, op)) is not None:
            raise UntellableError(why)
        real = f"{op.output}/real"
        if self.graph.tensor(op.output).packed and not isinstance(op, Clamping | Movement):
            raise UntellableError("writes values of 4 bits, which it does not limit itself")
        clamp: Clamp = op.within(self.graph) if isinstance(op, Clamping) else INT8
        write(self, op, real if clamp == INT8 else f"{op.output}/free")
        if clamp != INT8:
            scale, zero = self.graph.scale(op.output)
            ends = [
                "" if end == free else self.bound(op.output, end, scale, zero)
                for end, free in zip(clamp, INT8, strict=True)
            ]
            self.node("Clip", [f"{op.output}/free", *ends][: 3 if ends[1] else 2], real)
        self.levelled(real, op.output)

    def bound(self, name: str, level: int, scale: float, zero: int) -> str:
        """The real value of a level."""
        return self.constant(f"{name}/at{level}", np.float32(scale * (level - zero)))


def _constants_of(w: _Writer, op: Weighted, levels: NDArray[Any]) -> list[str]:
    """Weights, channels of the output first, and bias."""
    scales = w.graph.quantization(op.weights).scale
    bias = np.asarray(w.graph.constants[op.bias])
    if bias.dtype != np.int32 or np.abs(bias.astype(np.int64)).max(initial=0) >= _MOST_BIAS:
        raise UntellableError(f"has biases of {_MOST_BIAS} and more, which 32-bit floats do not hold exactly")
    if min(scales) <= 0:
        raise UntellableError("has a channel of weights with scale 0")
    step = w.graph.scale(op.input)[0]
    sums = [float(np.float32(step * scale)) for scale in scales]
    weights = w.weights(op.weights, f"{op.output}/weights", levels, scales)
    return [weights, w.weights(op.bias, f"{op.output}/bias", bias, sums)]


def _convolution(w: _Writer, op: Conv2D | DepthwiseConv2D, output: str) -> None:
    values = np.asarray(w.graph.constants[op.weights])
    deep = isinstance(op, DepthwiseConv2D)
    filters = values.transpose(3, 0, 1, 2) if deep else values.transpose(0, 3, 1, 2)
    top, bottom, left, right = op.padding
    w.node(
        "Conv",
        [w.real(op.input), *_constants_of(w, op, filters)],
        output,
        kernel_shape=filters.shape[2:],
        strides=op.stride,
        dilations=op.dilation,
        pads=(top, left, bottom, right),
        group=w.shape(op.input)[1] if deep else 1,
    )


def _fully_connected(w: _Writer, op: FullyConnected, output: str) -> None:
    """Of one row: rows of the graph's order, which has channels last."""
    if len(w.shape(op.output)) != 2:
        raise UntellableError("multiplies several rows")
    x, shape = w.real(op.input), w.shape(op.input)
    if len(shape) == 4 and shape[2:] != (1, 1):
        x = w.node("Transpose", [x], f"{op.output}/last", perm=_LAST)
    if len(shape) != 2:
        x = w.node("Flatten", [x], f"{op.output}/flat", axis=1)
    w.node("Gemm", [x, *_constants_of(w, op, np.asarray(w.graph.constants[op.weights]))], output, transB=1)


def _elementwise(kind: str) -> Callable[[_Writer, Any, str], None]:
    def write(w: _Writer, op: Add | Sub | Mul | Maximum | Minimum, output: str) -> None:
        ranks = {len(w.shape(name)) for name in op.operands}
        if len(ranks) > 1:
            raise UntellableError("joins tensors of different ranks")
        w.node(kind, [w.real(name) for name in op.operands], output)

    return write


def _pool(kind: str) -> Callable[[_Writer, Any, str], None]:
    def write(w: _Writer, op: Pool, output: str) -> None:
        top, bottom, left, right = op.padding
        options = {"count_include_pad": 0} if kind == "AveragePool" else {}
        pads = (top, left, bottom, right)
        w.node(kind, [w.real(op.input)], output, kernel_shape=op.window, strides=op.stride, pads=pads, **options)

    return write


def _reduction(kind: str) -> Callable[[_Writer, Any, str], None]:
    def write(w: _Writer, op: Reduction, output: str) -> None:
        axes = sorted(w.axis(op.input, axis) for axis in op.axes)
        w.node(kind, [w.real(op.input)], output, axes=axes, keepdims=1)

    return write


def _softmax(w: _Writer, op: Softmax, output: str) -> None:
    if op.beta != 1:
        raise UntellableError(f"has beta {op.beta}, must be 1")
    last = len(w.shape(op.input)) - 1
    w.node("Softmax", [w.real(op.input)], output, axis=w.axis(op.input, last))


def _reshape(w: _Writer, op: Reshape, output: str) -> None:
    """Of images, which lie with channels first, by way of the graph's order."""
    x = w.real(op.input)
    if len(w.shape(op.input)) == 4:
        x = w.node("Transpose", [x], f"{op.output}/last", perm=_LAST)
    image = len(op.shape) == 4
    shape = w.constant(f"{op.output}/shape", np.array(op.shape, np.int64))
    shaped = w.node("Reshape", [x, shape], f"{op.output}/shaped" if image else output)
    if image:
        w.node("Transpose", [shaped], output, perm=_FIRST)


def _transpose(w: _Writer, op: Transpose, output: str) -> None:
    order = op.permutation
    if len(order) == 4:  # where the file's axis comes from, in the file
        order = tuple(_FIRST.index(op.permutation[axis]) for axis in _FIRST)
    w.node("Transpose", [w.real(op.input)], output, perm=order)


def _concat(w: _Writer, op: Concat, output: str) -> None:
    w.node("Concat", [w.real(name) for name in op.inputs], output, axis=w.axis(op.output, op.axis))


def _slice(w: _Writer, op: Slice, output: str) -> None:
    lowest = np.iinfo(np.int64).min
    ends = [begin + step * count for begin, step, count in zip(op.begin, op.stride, op.shape, strict=True)]
    axes = [w.axis(op.input, axis) for axis in range(len(op.shape))]
    parts = {"begin": op.begin, "end": [lowest if end < 0 else end for end in ends], "axes": axes, "step": op.stride}
    operands = [w.constant(f"{op.output}/{key}", np.array(numbers, np.int64)) for key, numbers in parts.items()]
    w.node("Slice", [w.real(op.input), *operands], output)


def _pad(w: _Writer, op: Pad, output: str) -> None:
    order = _FIRST if len(op.padding) == 4 else range(len(op.padding))
    numbers = [op.padding[axis][end] for end in (0, 1) for axis in order]
    scale, zero = w.graph.scale(op.input)
    value = w.bound(op.output, op.value, scale, zero)
    w.node("Pad", [w.real(op.input), w.constant(f"{op.output}/pads", np.array(numbers, np.int64)), value], output)


_WRITERS: Mapping[type[Op], Callable[[_Writer, Any, str], None]] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _convolution,
    FullyConnected: _fully_connected,
    Add: _elementwise("Add"),
    Sub: _elementwise("Sub"),
    Mul: _elementwise("Mul"),
    Maximum: _elementwise("Max"),
    Minimum: _elementwise("Min"),
    AveragePool2D: _pool("AveragePool"),
    MaxPool2D: _pool("MaxPool"),
    Mean: _reduction("ReduceMean"),
    ReduceMax: _reduction("ReduceMax"),
    Softmax: _softmax,
    Reshape: _reshape,
    Transpose: _transpose,
    Concat: _concat,
    Slice: _slice,
    Pad: _pad,
}
