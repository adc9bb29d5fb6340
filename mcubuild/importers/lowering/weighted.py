"""Convolutions, products with constant matrices, and batch norm, which goes into either."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering, Value
from mcubuild.importers.lowering.place import Grid, Known, Placed, Shape, channels_last, plain
from mcubuild.importers.lowering.quantization import symmetric
from mcubuild.importers.lowering.windowing import Window, image, restored, window_of
from mcubuild.importers.program import Call


def _conv(lowering: Lowering, call: Call) -> Value:
    """Operands: activation, filters (N, C / groups, *kernel), bias (N,)."""
    x = lowering.activation(call)
    picture = image(lowering, call, x)
    filters = _filters(lowering, call, len(x.shape))
    window = window_of(call, picture.shape, filters.shape[2:], signal=len(x.shape) == 3)
    groups = call.options.get("group", 1)
    if groups < 1 or filters.shape[1] * groups != x.shape[1] or filters.shape[0] % groups:
        raise ValueError(f"has filters {filters.shape} in {groups} groups for {x.shape[1]} channels")
    operands = [picture.index, lowering.constant(filters, "weights", (0, 2, 3, 1)), *_bias(lowering, call, 2)]
    shape = (1, filters.shape[0], *window.size)
    result = lowering.emit(call, "CONV_2D", operands, shape, channels_last(4), window.options)
    return restored(lowering, call, result, len(x.shape))


def _filters(lowering: Lowering, call: Call, rank: int) -> Known:
    """Filters with two axes of a window; that of a signal has a height of 1."""
    known = lowering.known(call, 1)
    if known is None or len(known.shape) != rank:
        raise ValueError(f"has filters of {None if known is None else known.shape} for {rank} axes")
    known = symmetric(known)
    return known.reshaped((*known.shape[:2], 1, known.shape[2])) if rank == 3 else known


def _bias(lowering: Lowering, call: Call, position: int) -> list[int]:
    known = lowering.known(call, position)
    return [] if known is None else [lowering.constant(known, "bias")]


def _conv_transpose(lowering: Lowering, call: Call) -> Value:
    """Operands: activation, filters (C, N, *kernel), bias (N,)."""
    x = lowering.activation(call)
    picture = image(lowering, call, x)
    filters = _filters(lowering, call, len(x.shape))
    if call.options.get("group", 1) != 1:
        raise UnsupportedError(f"has {call.options['group']} groups, must have one")
    if any(each != 1 for each in call.options.get("dilations", ())):
        raise UnsupportedError(f"has dilations {call.options['dilations']}, must be 1")
    if filters.shape[0] != x.shape[1]:
        raise ValueError(f"has filters {filters.shape} for {x.shape[1]} channels")
    before, signal = picture.shape[2:], len(x.shape) == 3

    def pair(option: str, default: int) -> tuple[int, ...]:
        """Of height and width; a signal has a height of 1."""
        found = tuple(call.options.get(option, (default,) * (1 if signal else 2)))
        return (default, *found) if signal else found

    kernel, stride, more = filters.shape[2:], pair("strides", 1), pair("output_padding", 0)
    full = [step * (size - 1) + reach for step, size, reach in zip(stride, before, kernel, strict=True)]
    if call.options.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or "output_shape" in call.options:
        wanted = call.options.get("output_shape", [step * size for step, size in zip(stride, before, strict=True)])
        size = (1, wanted[-1]) if signal else tuple(wanted)[-2:]
        over = [max(0, most + extra - end) for most, extra, end in zip(full, more, size, strict=True)]
        lower = call.options.get("auto_pad") != "SAME_UPPER"  # as ONNX has it, also where only the shape is given
        top, left = ((each + lower) // 2 for each in over)
    else:
        pads = tuple(call.options.get("pads", (0, 0) if signal else (0, 0, 0, 0)))
        top, left, bottom, right = (0, pads[0], 0, pads[1]) if signal else pads
        size = (full[0] + more[0] - top - bottom, full[1] + more[1] - left - right)
    options = {"StrideH": stride[0], "StrideW": stride[1], **Window.padding((top, 0, left, 0))}
    weights = lowering.constant(filters, "weights", (1, 2, 3, 0))
    shape = (1, filters.shape[1], *size)
    operands = [lowering.integers(1, *size, shape[1]), weights, picture.index, *_bias(lowering, call, 2)]
    result = lowering.emit(call, "TRANSPOSE_CONV", operands, shape, channels_last(4), options)
    return restored(lowering, call, result, len(x.shape))


def _gemm(lowering: Lowering, call: Call) -> Value:
    """Operands: activation (1, K), matrix (K, N) or, transposed, (N, K), bias that fits (1, N)."""
    x = lowering.activation(call)
    matrix, bias = lowering.known(call, 1), lowering.known(call, 2)
    if call.options.get("transA") or len(x.shape) != 2 or matrix is None or len(matrix.shape) != 2:
        raise UnsupportedError(
            f"multiplies {x.shape} with transA = {call.options.get('transA', 0)}, must be (1, inputs)"
        )
    weights = matrix if call.options.get("transB") else matrix.moved((1, 0))
    weights = _scaled(symmetric(weights), np.full(1, call.options.get("alpha", 1.0)))
    if bias is not None:
        bias = _scaled(bias, np.full(1, call.options.get("beta", 1.0)))
        count = weights.shape[0]
        if bias.values.size == 1 and count > 1:
            bias = Known(np.full(count, bias.real.ravel()[0], np.float32))
        bias = bias.reshaped((count,))
    return product(lowering, call, x, weights, bias)


def product(lowering: Lowering, call: Call, x: Placed, weights: Known, bias: Known | None = None) -> Value:
    """Rows of the last axis times ``weights`` (N, K)."""
    if weights.shape[1] != x.shape[-1]:
        raise ValueError(f"multiplies {x.shape} with a matrix of {weights.shape[::-1]}")
    last = len(x.shape) - 1
    x = lowering.arranged(call, x, (*(axis for axis in x.order if axis != last), last))
    operands = [x.index, lowering.constant(weights, "weights")]
    if bias is not None:
        operands.append(lowering.constant(bias, "bias"))
    return lowering.emit(call, "FULLY_CONNECTED", operands, (*x.shape[:-1], weights.shape[0]), x.order)


def _mat_mul(lowering: Lowering, call: Call) -> Value:
    left, right = lowering.value(call, 0), lowering.value(call, 1)
    if isinstance(left, Placed) and isinstance(right, Known) and prod(right.shape[:-2]) == 1 and len(right.shape) > 1:
        return product(lowering, call, left, symmetric(right.reshaped(right.shape[-2:]).moved((1, 0))))
    if min(len(left.shape), len(right.shape)) < 2:
        raise UnsupportedError(f"multiplies {left.shape} and {right.shape}, must be matrices")
    rank = max(len(left.shape), len(right.shape))
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    operands, options = [], {}
    for each, turned in ((left, "AdjX"), (right, "AdjY")):
        order = plain(len(each.shape))
        swapped = (*order[:-2], order[-1], order[-2])
        options[turned] = isinstance(each, Placed) and each.order == swapped
        if isinstance(each, Known):
            operands.append(lowering.constant(each, "operand"))
        else:
            operands.append(lowering.arranged(call, each, swapped if options[turned] else order).index)
    return lowering.emit(call, "BATCH_MATMUL", operands, shape, plain(rank), options)


def _batch_normalization(lowering: Lowering, call: Call) -> Value:
    """Operands: activation, scale, bias, mean, variance, all (C,)."""
    x = lowering.activation(call)
    parts = [lowering.known(call, position) for position in range(1, 5)]
    if call.options.get("training_mode") or None in parts:
        raise UnsupportedError("learns while it runs; export the network in evaluation mode")
    scale, bias, mean, variance = (part.real.ravel() for part in parts if part is not None)
    factors = scale / np.sqrt(variance + call.options.get("epsilon", 1e-5))
    offsets = bias - mean * factors
    if not factors.shape == offsets.shape == (x.shape[1],):
        raise ValueError(f"has {len(factors)} factors for {x.shape[1]} channels")
    if folded(lowering, call.inputs[0], x, factors, offsets):
        return x
    shape = tuple(len(factors) if axis == 1 else 1 for axis in x.order)
    operands = [lowering.constant(Known(each.astype(np.float32).reshape(shape)), "norm") for each in (factors, offsets)]
    scaled = lowering.emit(call, "MUL", [x.index, operands[0]], x.shape, x.order)
    return lowering.emit(call, "ADD", [scaled.index, operands[1]], x.shape, x.order)


def folded(
    lowering: Lowering, name: str, x: Placed, factors: NDArray[np.float64], offsets: NDArray[np.float64]
) -> bool:
    """Whether each channel's factor and offset went into weights and bias of the operator that gives ``x``.

    They do where nothing else reads ``x``: the operator then gives their result instead.

    Args:
        lowering: holds the operator, and its constants.
        name: of ``x`` in the program, where it may have others, too.
        x: real numbers.
        factors: one a channel of ``x``.
        offsets: alike.
    """
    op = lowering.operators[-1] if lowering.operators else None
    if op is None or op.kind not in ("CONV_2D", "FULLY_CONNECTED") or op.outputs != (x.index,):
        return False
    names = {name}
    for each, value in lowering.values.items():
        if isinstance(value, Placed) and value.index == x.index:
            names.add(each)
    channels = 1 if op.kind == "CONV_2D" else len(x.shape) - 1
    if any(lowering.reads[each] != 1 for each in names) or x.order[-1] != channels:
        return False
    weights = _back(lowering, op.inputs[1])
    if weights.shape[0] != len(factors) or (weights.grid is not None and (weights.values[factors < 0] == -128).any()):
        return False
    before = _back(lowering, op.inputs[2]).real if len(op.inputs) > 2 else np.zeros(len(factors))
    after = Known((before * factors + offsets).astype(np.float32))
    operands = (op.inputs[0], lowering.constant(_scaled(weights, factors), "weights"), lowering.constant(after, "bias"))
    lowering.operators[-1] = replace(op, inputs=operands)
    return True


def _back(lowering: Lowering, index: int) -> Known:
    """The constant in a tensor of the file."""
    tensor = lowering.tensors[index]
    assert tensor.values is not None
    return Known(tensor.values, Grid(tensor.scale, tensor.zero_point, tensor.axis) if tensor.scale else None)


def _scaled(known: Known, factors: NDArray[np.float64]) -> Known:
    """Weights (N, ...) times factors (N,) or (1,): of levels the scales, and where they are negative the signs."""
    if (factors == 1).all():
        return known
    along: Shape = (-1, *(1,) * (known.values.ndim - 1))
    if known.grid is None:
        return Known((known.values * factors.reshape(along)).astype(np.float32))
    signs = np.where(factors < 0, -1, 1)
    count = max(len(factors), len(known.grid.scale))
    scale = np.broadcast_to(np.array(known.grid.scale) * np.abs(factors), count).astype(np.float32)
    grid = Grid(tuple(scale.tolist()), (known.grid.zero_point[0],) * count, 0)
    return Known((known.values * signs.reshape(along)).astype(known.values.dtype), grid)


CONVERTERS: Mapping[str, Callable[[Lowering, Call], Value]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
    "BatchNormalization": _batch_normalization,
}
