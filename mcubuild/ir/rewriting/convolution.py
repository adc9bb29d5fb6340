"""Convolutions in the form that has the fastest kernel: the same products, or others with weights of zero."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Pair, Shape, dilated
from mcubuild.ir.graph import Op, Tensor
from mcubuild.ir.ops.movement import Reshape
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, Weighted
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule

_FEW_CHANNELS = 4
"""Input channels up to which the zeros of a convolution cost less than a depthwise one of several filters a channel."""
_FILLED = 49, 6
"""Weights of a filter whose gaps are filled with zeros: as many at most, and so many times those that it has."""


def _weights(match: Match, suffix: str, values: NDArray[np.int8], axis: int | None = None) -> tuple[Tensor, str]:
    """The tensor for other weights of the last operator, with scales along ``axis``; its name."""
    op = match.last
    assert isinstance(op, Weighted)
    before = match.graph.tensor(op.weights)
    quantization = match.quantization(op.weights)
    if quantization.axis is not None and axis is not None:
        quantization = replace(quantization, axis=axis)
    name = f"{op.output}.{suffix}"
    return replace(before, name=name, shape=values.shape, quantization=quantization), name


# ---- depthwise -------------------------------------------------------------------------------------------------------


def _filters_a_channel(match: Match) -> bool:
    op = match.last
    assert isinstance(op, DepthwiseConv2D)
    channels, filters = match.shape(op.input)[3], match.shape(op.weights)[3]
    return filters > channels and (channels == 1 or (channels <= _FEW_CHANNELS and op.dilation == (1, 1)))


def _ordinary(match: Match) -> Replacement:
    """Every filter sees all channels; its weights for all but its own are 0."""
    op = match.last
    assert isinstance(op, DepthwiseConv2D)
    channels = match.shape(op.input)[3]
    before = match.values(op.weights)
    filters = before.shape[3]
    shape = (filters, *before.shape[1:3], channels)
    values = np.full(shape, match.quantization(op.weights).zero_point, np.int8)
    number = np.arange(filters)
    values[number, :, :, number // (filters // channels)] = before[0].transpose(2, 0, 1)
    tensor, name = _weights(match, "ordinary", values, 0)
    conv = Conv2D(*(op.input, name, op.bias, op.output, op.stride, op.padding, op.clamp, op.dilation), single=op.single)
    return Replacement((conv,), (tensor,), {name: values})


def _has_small_gaps(match: Match) -> bool:
    op = match.last
    assert isinstance(op, DepthwiseConv2D)
    if match.shape(op.weights)[3] != match.shape(op.input)[3]:
        return False
    kernel = _kernel(match)
    area = prod(dilated(kernel, op.dilation))
    return op.dilation != (1, 1) and area <= _FILLED[0] and area <= _FILLED[1] * prod(kernel)


def _filled(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, DepthwiseConv2D)
    before = match.values(op.weights)
    shape = (1, *dilated(_kernel(match), op.dilation), before.shape[3])
    values = np.full(shape, match.quantization(op.weights).zero_point, np.int8)
    values[:, :: op.dilation[0], :: op.dilation[1]] = before
    tensor, name = _weights(match, "filled", values)
    return Replacement((replace(op, weights=name, dilation=(1, 1)),), (tensor,), {name: values})


# ---- windows ---------------------------------------------------------------------------------------------------------


def _kernel(match: Match) -> Pair:
    op = match.last
    assert isinstance(op, Weighted)
    shape = match.shape(op.weights)
    return shape[1], shape[2]


def _gaps_between_nothing(match: Match) -> bool:
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    return any(size == 1 and gap > 1 for size, gap in zip(_kernel(match), op.dilation, strict=True))


def _without_gaps(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    height, width = (1 if size == 1 else gap for size, gap in zip(_kernel(match), op.dilation, strict=True))
    return Replacement((replace(op, dilation=(height, width)),))


def _seen(match: Match) -> list[range]:
    """Rows and columns of the filters that see the input, which are fewer where there is one position alone."""
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    size, output = match.shape(op.input)[1:3], match.shape(op.output)[1:3]
    return [
        range(before, min(length, before + whole)) if count == 1 and gap == 1 else range(length)
        for before, length, whole, count, gap in zip(
            op.padding[::2], _kernel(match), size, output, op.dilation, strict=True
        )
    ]


def _reaches_outside(match: Match) -> bool:
    sizes = [len(each) for each in _seen(match)]
    return min(sizes) > 0 and sizes != list(_kernel(match))


def _cropped(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    seen = _seen(match)
    rows, columns = (slice(each.start, each.stop) for each in seen)
    values = np.ascontiguousarray(match.values(op.weights)[:, rows, columns])
    tensor, name = _weights(match, "cropped", values)
    whole = [len(each) == length for each, length in zip(seen, _kernel(match), strict=True)]
    padding = tuple(side if whole[index // 2] else 0 for index, side in enumerate(op.padding))
    smaller = replace(op, weights=name, padding=(padding[0], padding[1], padding[2], padding[3]))
    return Replacement((smaller,), (tensor,), {name: values})


# ---- matrix products -------------------------------------------------------------------------------------------------


def _same_factors(match: Match, tensors: Sequence[Tensor], op: Op) -> bool:
    """Whether ``op`` rescales its sums with exactly the last operator's factors."""
    assert isinstance(match.last, Weighted)
    assert isinstance(op, Weighted)
    graph = replace(
        match.graph,
        tensors={**match.graph.tensors, **{tensor.name: tensor for tensor in tensors}},
        ops=(),
        outputs=(),
        constants={},
        variables={},
    )
    return op.parameters(graph) == match.last.parameters(match.graph)


def _one_position(match: Match) -> bool:
    op = match.last
    assert isinstance(op, Conv2D)
    fits = _kernel(match) == match.shape(op.input)[1:3] and op.dilation == (1, 1) and not any(op.padding)
    if not fits:
        return False
    made = _product(match)
    return _same_factors(match, made.tensors, made.ops[0])


def _product(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Conv2D)
    values = match.values(op.weights)
    filters = len(values)
    flat, tensor = values.reshape(filters, -1), match.graph.tensor(op.weights)
    name, row = f"{op.output}.matrix", f"{op.output}.row"
    tensor = replace(tensor, name=name, shape=flat.shape)
    result = replace(match.graph.tensor(op.output), name=row, shape=(1, filters))
    product = FullyConnected(op.input, name, op.bias, row, op.clamp, single=op.single)
    return Replacement((product, Reshape(row, op.output, match.shape(op.output))), (tensor, result), {name: flat})


def _many_rows(match: Match) -> bool:
    op = match.last
    assert isinstance(op, FullyConnected)
    made = _pointwise(match)
    return len(match.shape(op.output)) == 3 and _same_factors(match, made.tensors, made.ops[1])


def _pointwise(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, FullyConnected)
    graph, values = match.graph, match.values(op.weights)
    filters, depth = values.shape
    rows = graph.tensor(op.input).elements // depth
    name, source, result = (f"{op.output}.{word}" for word in ("pointwise", "pixels", "filtered"))
    shapes: tuple[Shape, Shape] = (1, 1, rows, depth), (1, 1, rows, filters)
    tensors = (
        replace(graph.tensor(op.weights), name=name, shape=(filters, 1, 1, depth)),
        replace(graph.tensor(op.input), name=source, shape=shapes[0]),
        replace(graph.tensor(op.output), name=result, shape=shapes[1]),
    )
    ops = (
        Reshape(op.input, source, shapes[0]),
        Conv2D(source, name, op.bias, result, clamp=op.clamp, single=op.single),
        Reshape(result, op.output, match.shape(op.output)),
    )
    return Replacement(ops, tensors, {name: values.reshape(filters, 1, 1, depth)})


RULES = (
    Rule("gaps between nothing", (Conv2D | DepthwiseConv2D,), _gaps_between_nothing, _without_gaps),
    Rule("filters that reach outside", (Conv2D | DepthwiseConv2D,), _reaches_outside, _cropped),
    Rule("depthwise with several filters a channel", (DepthwiseConv2D,), _filters_a_channel, _ordinary),
    Rule("depthwise with small gaps", (DepthwiseConv2D,), _has_small_gaps, _filled),
    Rule("convolution with one position", (Conv2D,), _one_position, _product),
    Rule("matrix product of many rows", (FullyConnected,), _many_rows, _pointwise),
)
