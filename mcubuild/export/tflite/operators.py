"""Operators of the graph in TensorFlow Lite's, such that their kernels give the same bits; one function a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from mcubuild.export.tflite.model import Model, Options, Step, Variable, variable_of
from mcubuild.export.tflite.versions import version_of
from mcubuild.importers import tables
from mcubuild.ir.geometry import Padding, Pair, dilated, same_padding
from mcubuild.ir.graph import INT8, INT16, Clamp, Op, Quantization
from mcubuild.ir.ops.elementwise import Add, Div, Maximum, Minimum, Mul, Prelu, SquaredDifference, Sub
from mcubuild.ir.ops.l2_normalize import L2Normalize
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.matmul import MatMul
from mcubuild.ir.ops.movement import Concat, Gather, Pad, Reshape, Slice, Transpose
from mcubuild.ir.ops.normalize import Normalize
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D, Pool
from mcubuild.ir.ops.reduction import ArgMax, Mean, ReduceMax, Reduction, Sum
from mcubuild.ir.ops.rescale import Rescale
from mcubuild.ir.ops.resize import Resize
from mcubuild.ir.ops.sigmoid import Sigmoid
from mcubuild.ir.ops.softmax import LogSoftmax, Softmax
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D
from mcubuild.ir.ops.wide_softmax import WideSoftmax

ACTIVATIONS: Mapping[int, tuple[float | None, float | None]] = {0: (None, None), 1: (0, None), 2: (-1, 1), 3: (0, 6)}
"""NONE, RELU, RELU_N1_TO_1, RELU6 of the schema: smallest and largest real value."""
_SAME, _VALID = 0, 1
_MOST_AXES = 5
_INT32, _INT8 = 2, 9
"""``TensorType`` of the schema."""


class UntellableError(ValueError):
    """The format has no operator that gives the same bits; the message goes on from the operator's place."""


@dataclass(frozen=True)
class Writing:
    """An operator of the graph on its way into a model."""

    model: Model
    op: Any

    def step(
        self, kind: str, inputs: list[int], output: int | None = None, table: str = "", **options: int | float | bool
    ) -> int:
        """Append an operator of the file; its output, by default the tensor that the graph's operator writes."""
        output = self.model.number(self.op.output) if output is None else output
        variables = [self.model.variables[number] for number in inputs]
        version = version_of(kind, variables, self.model.variables[output], options)
        self.model.steps.append(Step(kind, version, tuple(inputs), (output,), table, options))
        return output

    def number(self, name: str) -> int:
        """The file's number of a tensor of the graph."""
        return self.model.number(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor of the graph."""
        return self.model.graph.tensor(name).shape

    def integers(self, what: str, *numbers: int, shape: tuple[int, ...] = (-1,)) -> int:
        """A constant operand."""
        return self.model.integers(f"{self.op.output}.{what}", *numbers, shape=shape)

    def clamped(self, emit: Callable[[int, int], object]) -> None:
        """What ``emit(activation function, output)`` appends, with the function that limits it as the graph does."""
        quantization, clamp = self.model.graph.quantization(self.op.output), self.op.within(self.model.graph)
        codes = (code for code, ends in ACTIVATIONS.items() if quantization.clamp(*ends, self._limits) == clamp)
        if (code := next(codes, None)) is not None:
            emit(code, self.number(self.op.output))
        else:
            self.limited(clamp, lambda output: emit(0, output))

    def limited(self, clamp: Clamp, emit: Callable[[int], object]) -> None:
        """What ``emit(output)`` appends, and a MINIMUM and a MAXIMUM that limit it to ``clamp``."""
        tensor = self.model.graph.tensor(self.op.output)
        bounds = {"MINIMUM": (clamp[1], self._limits[1]), "MAXIMUM": (clamp[0], self._limits[0])}
        limiting = {kind: bound for kind, (bound, free) in bounds.items() if bound != free}
        outputs = [self.model.like(tensor.name, f"before_{kind.lower()}") for kind in limiting]
        outputs.append(self.number(tensor.name))
        emit(outputs[0])
        for (kind, bound), x, y in zip(limiting.items(), outputs, outputs[1:], strict=False):
            values = np.full((1,) * len(tensor.shape), bound, tensor.dtype)
            name = f"{tensor.name}.{kind.lower()}"
            constant = Variable(name, values.shape, tensor.dtype.upper(), tensor.quantization, values)
            self.step(kind, [x, self.model.add(constant)], y, "MaximumMinimumOptions")

    @property
    def _limits(self) -> Clamp:
        """Of the file's type; that of activations of 4 bits is INT8."""
        return INT16 if self.model.graph.tensor(self.op.output).dtype == "int16" else INT8

    def framed(self, kernel: Pair, padding: Padding, value: int) -> tuple[int, int]:
        """The input and the padding mode of windows; a PADV2 with ``value`` where no mode says ``padding``."""
        mode = _mode(self, kernel, padding)
        if mode is not None:
            return self.number(self.op.input), mode
        height, width = self.shape(self.op.input)[1:3]
        top, bottom, left, right = padding
        shape = (1, height + top + bottom, width + left + right, self.shape(self.op.input)[3])
        framed = self.model.like(self.op.input, f"{self.op.output}.framed", shape)
        return _pad(self, framed, ((0, 0), (top, bottom), (left, right), (0, 0)), value), _VALID


def _mode(w: Writing, kernel: Pair, padding: Padding) -> int | None:
    """SAME or VALID, if one of them has the same windows; what no window reaches below and on the right is nothing."""
    size, output = w.shape(w.op.input)[1:3], w.shape(w.op.output)[1:3]
    pair: Pair = (size[0], size[1])
    same = same_padding(pair, kernel, w.op.stride)
    if padding[::2] == same[::2] and output == tuple(
        -(-n // stride) for n, stride in zip(size, w.op.stride, strict=True)
    ):
        return _SAME
    fits = tuple((n - k) // stride + 1 for n, k, stride in zip(size, kernel, w.op.stride, strict=True))
    return _VALID if not any(padding[::2]) and output == fits else None


def _pad(w: Writing, output: int | None, padding: tuple[Pair, ...], value: int) -> int:
    """Of the operator's input."""
    tensor = w.model.graph.tensor(w.op.input)
    filling = np.array([value], tensor.dtype)
    constant = w.model.add(Variable(f"{w.op.output}.value", (1,), tensor.dtype.upper(), tensor.quantization, filling))
    pads = w.integers("padding", *(number for pair in padding for number in pair), shape=(-1, 2))
    return w.step("PADV2", [w.number(w.op.input), pads, constant], output, "PadV2Options")


# ---- weights ---------------------------------------------------------------------------------------------------------


def _convolution(w: Writing) -> None:
    op: Conv2D | DepthwiseConv2D = w.op
    kernel = dilated((w.shape(op.weights)[1], w.shape(op.weights)[2]), op.dilation)
    x, mode = w.framed(kernel, op.padding, w.model.graph.scale(op.input)[1])
    deep = isinstance(op, DepthwiseConv2D)
    multiplier = {"DepthMultiplier": w.shape(op.output)[3] // w.shape(op.input)[3]} if deep else {}
    w.clamped(
        lambda activation, output: w.step(
            "DEPTHWISE_CONV_2D" if deep else "CONV_2D",
            [x, w.number(op.weights), w.number(op.bias)],
            output,
            "DepthwiseConv2DOptions" if deep else "Conv2DOptions",
            Padding=mode,
            StrideH=op.stride[0],
            StrideW=op.stride[1],
            DilationHFactor=op.dilation[0],
            DilationWFactor=op.dilation[1],
            FusedActivationFunction=activation,
            **multiplier,
        ),
    )


def _transposed(w: Writing) -> None:
    """SAME where that is its padding; else from all windows the result is cut."""
    op: TransposeConv2D = w.op
    same = same_padding(op.size, (w.shape(op.weights)[1], w.shape(op.weights)[2]), op.stride)
    mode = _SAME if op.padding[::2] == same[::2] else _VALID
    cut = (0, 0) if mode == _SAME else op.padding[::2]
    shape = (1, op.size[0] + cut[0], op.size[1] + cut[1], w.shape(op.output)[3])

    def emit(activation: int, output: int) -> None:
        whole = w.model.like(op.output, "whole", shape) if any(cut) else output
        w.step(
            "TRANSPOSE_CONV",
            [w.integers("shape", *shape), w.number(op.weights), w.number(op.input), w.number(op.bias)],
            whole,
            "TransposeConvOptions",
            Padding=mode,
            StrideH=op.stride[0],
            StrideW=op.stride[1],
            FusedActivationFunction=activation,
        )
        if any(cut):
            begin, size = w.integers("begin", 0, *cut, 0), w.integers("size", *w.shape(op.output))
            w.step("SLICE", [whole, begin, size], output, "SliceOptions")

    w.clamped(emit)


def _fully_connected(w: Writing) -> None:
    op: FullyConnected = w.op
    output, source, depth = w.shape(op.output), w.shape(op.input), w.shape(op.weights)[1]
    x, rows = w.number(op.input), len(output) == 3
    weights = w.model.graph.tensor(op.weights)
    if weights.bits == 4 and len(w.model.graph.quantization(op.weights).scale) > 1:
        _pointwise(w)
        return
    if rows and (len(source) != 3 or source[-1] != depth):
        x = _reshaped(w, x, w.model.like(op.input, f"{op.output}.rows", (1, output[1], depth)))
    w.clamped(
        lambda activation, output: w.step(
            "FULLY_CONNECTED",
            [x, w.number(op.weights), w.number(op.bias)],
            output,
            "FullyConnectedOptions",
            FusedActivationFunction=activation,
            KeepNumDims=rows,
        ),
    )


def _pointwise(w: Writing) -> None:
    """The same as a convolution: Micro has fully connected layers of 4-bit weights with one scale for all, alone."""
    op: FullyConnected = w.op
    count, depth = w.shape(op.weights)
    pixels = prod(w.shape(op.output)) // count
    x = _reshaped(w, w.number(op.input), w.model.like(op.input, f"{op.output}.pixels", (1, 1, pixels, depth)))
    matrix = variable_of(w.model.graph, op.weights)
    assert matrix.values is not None
    shape = (count, 1, 1, depth)
    filters = w.model.add(replace(matrix, name=f"{op.weights}.1x1", shape=shape, values=matrix.values.reshape(shape)))

    def emit(activation: int, output: int) -> None:
        y = w.step(
            "CONV_2D",
            [x, filters, w.number(op.bias)],
            w.model.like(op.output, "pixels", (1, 1, pixels, count)),
            "Conv2DOptions",
            Padding=_VALID,
            StrideH=1,
            StrideW=1,
            FusedActivationFunction=activation,
        )
        _reshaped(w, y, output)

    w.clamped(emit)


def _matmul(w: Writing) -> None:
    x, y = w.op.transposed
    w.step("BATCH_MATMUL", _operands(w), None, "BatchMatMulOptions", AdjX=x, AdjY=y)


# ---- windows and axes ------------------------------------------------------------------------------------------------


def _pool(w: Writing) -> None:
    op: Pool = w.op
    average = isinstance(op, AveragePool2D)
    if average and _mode(w, op.window, op.padding) is None:
        raise UntellableError(f"averages without its padding {op.padding}, which is neither SAME nor VALID")
    x, mode = w.framed(op.window, op.padding, INT16[0] if w.model.graph.tensor(op.input).dtype == "int16" else INT8[0])
    w.clamped(
        lambda activation, output: w.step(
            "AVERAGE_POOL_2D" if average else "MAX_POOL_2D",
            [x],
            output,
            "Pool2DOptions",
            Padding=mode,
            StrideH=op.stride[0],
            StrideW=op.stride[1],
            FilterHeight=op.window[0],
            FilterWidth=op.window[1],
            FusedActivationFunction=activation,
        ),
    )


def _reduction(w: Writing) -> None:
    op: Reduction = w.op
    kind = {Mean: "MEAN", Sum: "SUM", ReduceMax: "REDUCE_MAX"}[type(op)]
    w.step(kind, [w.number(op.input), w.integers("axes", *op.axes)], None, "ReducerOptions", KeepDims=True)


def _arg_max(w: Writing) -> None:
    """Its result has no axis of one element; a reshape of indices stands for the same tensor."""
    op: ArgMax = w.op
    shape = tuple(size for axis, size in enumerate(w.shape(op.output)) if axis != op.axis)
    w.model.stand(op.output, w.model.add(Variable(op.output, shape, "INT32")))
    w.step(
        "ARG_MAX",
        [w.number(op.input), w.integers("axis", op.axis, shape=())],
        None,
        "ArgMaxOptions",
        OutputType=_INT32,
    )


def _resize(w: Writing) -> None:
    op: Resize = w.op
    kind, table = {
        "nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        "bilinear": ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    }[op.method]
    w.step(
        kind,
        [w.number(op.input), w.integers("size", *op.size)],
        None,
        table,
        AlignCorners=op.align_corners,
        HalfPixelCenters=op.half_pixel_centers,
    )


# ---- elements --------------------------------------------------------------------------------------------------------


def _operands(w: Writing) -> list[int]:
    return [w.number(name) for name in w.op.operands]


def _clamping(kind: str, table: str, **options: bool) -> Callable[[Writing], None]:
    def write(w: Writing) -> None:
        w.clamped(
            lambda activation, output: w.step(
                kind, _operands(w), output, table, FusedActivationFunction=activation, **options
            ),
        )

    return write


def _plain(kind: str, table: str = "", options: Callable[[Any], Options] = lambda _: {}) -> Callable[[Writing], None]:
    def write(w: Writing) -> None:
        w.step(kind, _operands(w), None, table, **options(w.op))

    return write


_FUNCTIONS: Mapping[str, tuple[str, Callable[[Quantization, Quantization], tables.Table]]] = {
    "QUANTIZE": ("QuantizeOptions", tables.requantized),
    "RELU": ("", lambda x, y: tables.clamped(x, y, 0, None)),
    "RELU6": ("", tables.relu6),
    "HARD_SWISH": ("HardSwishOptions", tables.hard_swish),
    "LOGISTIC": ("", tables.logistic),
    "TANH": ("", tables.tanh),
    "ELU": ("", tables.elu),
    "ABS": ("AbsOptions", tables.absolute),
    "RSQRT": ("", tables.inverse_root),
}
"""By kind, what gives the graph's table for it."""


def _lookup(w: Writing) -> None:
    """The function that has this table, among those of the schema; else a GATHER from the table."""
    op: Lookup = w.op
    x, y = (w.model.graph.quantization(name) for name in (op.input, op.output))
    wanted = np.asarray(w.model.graph.constants[op.table], np.int8)
    for kind, (table, values) in _FUNCTIONS.items():
        try:
            if np.array_equal(values(x, y), wanted):
                w.step(kind, [w.number(op.input)], None, table)
                return
        except ValueError:  # that function is not defined at these scales
            continue
    if (alpha := _slope(x, y, wanted)) is not None:
        w.step("LEAKY_RELU", [w.number(op.input)], None, "LeakyReluOptions", Alpha=alpha)
    elif x == y and (wanted == np.clip(np.arange(-128, 128), wanted.min(), wanted.max())).all():
        w.limited(
            (int(wanted.min()), int(wanted.max())),
            lambda output: w.step("QUANTIZE", [w.number(op.input)], output, "QuantizeOptions"),
        )
    else:
        _from_table(w)


def _from_table(w: Writing) -> None:
    op: Lookup = w.op
    shape = w.shape(op.output)
    wide, place = (w.model.add(Variable(f"{op.output}.{word}", shape, "INT32")) for word in ("wide", "place"))
    w.step("CAST", [w.number(op.input)], wide, "CastOptions", InDataType=_INT8, OutDataType=_INT32)
    w.step("ADD", [wide, w.integers("lowest", 128, shape=())], place, "AddOptions")
    table = Variable(op.table, (256,), "INT8", w.model.graph.quantization(op.output), w.model.graph.constants[op.table])
    w.step("GATHER", [w.model.add(table), place], None, "GatherOptions", Axis=0)


def _slope(x: Quantization, y: Quantization, wanted: tables.Table) -> float | None:
    """The alpha of a LEAKY_RELU with this table: the middle of all that the values below zero allow."""
    distance = np.arange(-128, 128) - x.zero_point
    below = (distance < 0) & (wanted > -128) & (wanted < 127)
    if not below.any():
        return None
    levels = wanted[below].astype(np.float64) - y.zero_point
    ratio = y.scale[0] / (x.scale[0] * distance[below])
    bounds = np.sort(np.stack([(levels - 0.5) * ratio, (levels + 0.5) * ratio]), axis=0)
    low, high = max(float(bounds[0].max()), 0.0), float(bounds[1].min())
    for share in (0.5, 0.1, 0.9, 0.01, 0.99):
        alpha = float(np.float32(low + share * (high - low)))
        if 0 <= alpha < 1e6 and np.array_equal(tables.leaky_relu(x, y, alpha), wanted):
            return alpha
    return None


def _rescale(w: Writing) -> None:
    op: Rescale = w.op
    tensor, quantization = (w.model.graph.tensor(op.output), w.model.graph.quantization(op.output))
    x = [w.number(op.input)]
    if op.slope != 1:
        w.step("LEAKY_RELU", x, None, "LeakyReluOptions", Alpha=op.slope)
    elif op.clamp == tensor.limits:
        w.step("QUANTIZE", x, None, "QuantizeOptions")
    elif op.clamp == quantization.clamp(0, None, tensor.limits):
        w.step("RELU", x)
    elif op.clamp == quantization.clamp(0, 6, tensor.limits):
        w.step("RELU6", x)
    else:
        raise UntellableError(f"limits what it rescales to {op.clamp}, as no function of TensorFlow Lite does")


# ---- movement --------------------------------------------------------------------------------------------------------


def _reshaped(w: Writing, x: int, output: int | None) -> int:
    output = w.number(w.op.output) if output is None else output
    shape = w.integers("shape", *w.model.variables[output].shape)
    return w.step("RESHAPE", [x, shape], output, "ReshapeOptions")


def _reshape(w: Writing) -> None:
    op: Reshape = w.op
    if w.model.graph.tensor(op.output).dtype == "int32":
        w.model.stand(op.output, w.number(op.input))
    else:
        _reshaped(w, w.number(op.input), None)


def _slice(w: Writing) -> None:
    op: Slice = w.op
    if all(step == 1 for step in op.stride):
        w.step(
            "SLICE",
            [w.number(op.input), w.integers("begin", *op.begin), w.integers("size", *op.shape)],
            None,
            "SliceOptions",
        )
        return
    ends, open_ends = [], 0
    for axis, (begin, step, count) in enumerate(zip(op.begin, op.stride, op.shape, strict=True)):
        end = begin + step * count
        open_ends |= (end < 0) << axis  # down to the first element: no number says so
        ends.append(max(end, 0))
    operands = [("begin", op.begin), ("end", ends), ("stride", op.stride)]
    w.step(
        "STRIDED_SLICE",
        [w.number(op.input), *(w.integers(what, *numbers) for what, numbers in operands)],
        None,
        "StridedSliceOptions",
        EndMask=open_ends,
    )


def _padded(w: Writing) -> None:
    _pad(w, None, w.op.padding, w.op.value)


def _concat(w: Writing) -> None:
    w.step("CONCATENATION", _operands(w), None, "ConcatenationOptions", Axis=w.op.axis)


def _transpose(w: Writing) -> None:
    """Of six axes without the batch's, as Micro has no more than five."""
    op: Transpose = w.op
    x, shape, order = w.number(op.input), w.shape(op.input), op.permutation
    if len(shape) <= _MOST_AXES:
        w.step("TRANSPOSE", [x, w.integers("order", *order)], None, "TransposeOptions")
        return
    x = _reshaped(w, x, w.model.like(op.input, f"{op.output}.sample", shape[1:]))
    turned = w.model.like(op.output, "sample", w.shape(op.output)[1:])
    w.step("TRANSPOSE", [x, w.integers("order", *(axis - 1 for axis in order[1:]))], turned, "TransposeOptions")
    _reshaped(w, turned, None)


def _gather(w: Writing) -> None:
    indices = w.integers("indices", *w.op.indices)
    w.step("GATHER", [w.number(w.op.input), indices], None, "GatherOptions", Axis=w.op.axis)


def _normalize(w: Writing) -> None:
    raise UntellableError("normalises at a time what TensorFlow Lite takes several operators for, with other bits")


WRITERS: Mapping[type[Op], Callable[[Writing], None]] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _convolution,
    TransposeConv2D: _transposed,
    FullyConnected: _fully_connected,
    MatMul: _matmul,
    AveragePool2D: _pool,
    MaxPool2D: _pool,
    Mean: _reduction,
    Sum: _reduction,
    ReduceMax: _reduction,
    ArgMax: _arg_max,
    Resize: _resize,
    # Scales of int16 that are powers of two would be shifted by LiteRT, and are multiplied by Micro and here.
    Add: _clamping("ADD", "AddOptions", PotScaleInt16=False),
    Sub: _clamping("SUB", "SubOptions", PotScaleInt16=False),
    Mul: _clamping("MUL", "MulOptions"),
    Div: _clamping("DIV", "DivOptions"),
    Maximum: _plain("MAXIMUM", "MaximumMinimumOptions"),
    Minimum: _plain("MINIMUM", "MaximumMinimumOptions"),
    SquaredDifference: _plain("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
    Prelu: _plain("PRELU"),
    L2Normalize: _plain("L2_NORMALIZATION", "L2NormOptions"),
    Normalize: _normalize,
    Lookup: _lookup,
    Rescale: _rescale,
    Sigmoid: lambda w: _plain(w.op.function.upper())(w),
    Softmax: _plain("SOFTMAX", "SoftmaxOptions", lambda op: {"Beta": op.beta}),
    WideSoftmax: _plain("SOFTMAX", "SoftmaxOptions", lambda op: {"Beta": op.beta}),
    LogSoftmax: _plain("LOG_SOFTMAX", "LogSoftmaxOptions"),
    Reshape: _reshape,
    Transpose: _transpose,
    Slice: _slice,
    Gather: _gather,
    Pad: _padded,
    Concat: _concat,
}
"""Of every kind of operator."""
