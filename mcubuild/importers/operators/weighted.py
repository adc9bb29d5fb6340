"""Convolutions and fully connected layers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import Builder, Node, UnsupportedError, activation_scale, describe
from mcubuild.importers.operators.converter import UNSIGNED, Converter
from mcubuild.importers.operators.fused import explicit_padding, fused_clamp, image, padding, pair
from mcubuild.importers.tflite_file import FileTensor
from mcubuild.ir.geometry import Padding, Pair, same_padding
from mcubuild.ir.graph import Constant, Quantization, Tensor
from mcubuild.ir.ops.movement import Concat, Slice
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D

_LARGEST_STEP = 4096
"""Of strides and dilations: more than any image has pixels."""


def _conv2d(node: Node) -> None:
    x, size = image(node, 0)
    weights, bias, kernel = _filters(node, 1, 2, axis=0)
    stride, dilation = _steps(node)
    pad = padding(node, size, kernel, stride, dilation)
    clamp = fused_clamp(node)
    whole = Conv2D(x, weights, bias, "", stride, pad, clamp, dilation, single=node.input(1).unsigned)
    channels, own = node.input(0).shape[3], node.input(1).shape[3]
    if channels == own or channels % own or node.input(1).shape[0] % (channels // own):
        node.builder.emit(lambda out: replace(whole, output=out), node.output)
    elif own == 1:
        _one_channel_each(node, whole)
    else:
        _grouped(node, whole, channels // own)


def _one_channel_each(node: Node, whole: Conv2D) -> None:
    """Groups of one input channel: a depthwise convolution."""
    builder = node.builder
    values = np.ascontiguousarray(builder.constants[whole.weights].transpose(3, 1, 2, 0), np.int8)
    tensor = builder.tensors[whole.weights]
    quantization = tensor.quantization
    assert quantization is not None
    if quantization.axis is not None:
        quantization = replace(quantization, axis=3)
    weights = builder.constant(
        replace(tensor, name=f"{whole.weights}.depthwise", shape=values.shape, quantization=quantization), values
    )
    builder.emit(
        lambda out: DepthwiseConv2D(
            *(whole.input, weights, whole.bias, out, whole.stride, whole.padding, whole.clamp, whole.dilation),
            single=whole.single,
        ),
        node.output,
    )


def _grouped(node: Node, whole: Conv2D, groups: int) -> None:
    """Each group of filters sees its own channels: a convolution of a slice for each, side by side."""
    builder, result = node.builder, activation_scale(node.output)
    shape = builder.shape(whole.input)
    own, dtype = (*shape[:3], shape[3] // groups), builder.dtype(whole.input)
    parts = []
    for group in range(groups):
        name = f"t{node.output.index}.group{group}"
        begin = (0, 0, 0, group * own[3])
        source = builder.step(
            lambda out, begin=begin: Slice(whole.input, out, begin, (1, 1, 1, 1), own),  # type: ignore[misc]
            f"{name}.input",
            builder.quantization(whole.input),
            dtype,
        )
        weights, bias = (_part(builder, each, group, groups, name) for each in (whole.weights, whole.bias))
        part = replace(whole, input=source, weights=weights, bias=bias)
        parts.append(builder.step(lambda out, part=part: replace(part, output=out), name, result, dtype))  # type: ignore[misc]
    builder.emit(lambda out: Concat(tuple(parts), out, 3), node.output)


def _part(builder: Builder, name: str, group: int, groups: int, prefix: str) -> str:
    """The constant that holds one group's share of the filters or biases ``name``."""
    tensor, values = builder.tensors[name], np.split(builder.constants[name], groups)[group]
    quantization = tensor.quantization
    assert quantization is not None
    if len(quantization.scale) > 1:
        count = len(quantization.scale) // groups
        quantization = replace(quantization, scale=quantization.scale[group * count : (group + 1) * count])
    part = replace(tensor, name=f"{prefix}.{name}", shape=values.shape, quantization=quantization)
    return builder.constant(part, np.ascontiguousarray(values))


def _depthwise(node: Node) -> None:
    x, size = image(node, 0)
    weights, bias, kernel = _filters(node, 1, 2, axis=3)
    stride, dilation = _steps(node)
    pad = padding(node, size, kernel, stride, dilation)
    clamp = fused_clamp(node)
    single = node.input(1).unsigned
    node.builder.emit(
        lambda out: DepthwiseConv2D(x, weights, bias, out, stride, pad, clamp, dilation, single=single), node.output
    )


def _transpose_conv(node: Node) -> None:
    x, _ = image(node, 2)
    weights, bias, kernel = _filters(node, 1, 3, axis=0, source=2, types=("INT8",))
    stride = pair(node, "StrideH", "StrideW", _LARGEST_STEP)
    result = node.output
    if len(result.shape) != 4 or result.shape[0] != 1:
        raise UnsupportedError(f"gives {describe(result)}, must be (1, height, width, channels)")
    size = result.shape[1], result.shape[2]
    # Its padding is that of the convolution that it transposes.
    pad: Padding = same_padding(size, kernel, stride) if node.option("Padding") == 0 else (0, 0, 0, 0)
    pad = explicit_padding(node) or pad
    clamp = fused_clamp(node)
    node.builder.emit(lambda out: TransposeConv2D(x, weights, bias, out, size, stride, pad, clamp), result)


def _fully_connected(node: Node) -> None:
    if node.option("WeightsFormat") != 0:
        raise UnsupportedError(f"has weights in format {node.option('WeightsFormat')}, must be the default")
    weights, bias, _ = _filters(node, 1, 2, axis=0, rank=2)
    x = node.builder.unreshaped(node.activation(0))
    clamp = fused_clamp(node)
    node.builder.emit(lambda out: FullyConnected(x, weights, bias, out, clamp), node.output)


def _steps(node: Node) -> tuple[Pair, Pair]:
    """Stride and dilation."""
    dilation = ("DilationHFactor", "DilationWFactor")
    return (
        pair(node, "StrideH", "StrideW", _LARGEST_STEP),
        pair(node, *dilation, _LARGEST_STEP) if any(map(node.option, dilation)) else (1, 1),
    )


def _filters(
    node: Node,
    position: int,
    bias: int,
    *,
    axis: int,
    rank: int = 4,
    source: int = 0,
    types: tuple[str, ...] = ("INT8", "INT4"),
) -> tuple[str, str, Pair]:
    """Names of the constants for weights and bias, and the filters' height and width.

    Args:
        node: the operator.
        position: of the weights among its operands.
        bias: position of the bias, which may be missing.
        axis: of the weights, along which output channels lie.
        rank: number of the weights' axes.
        source: position of the input.
        types: that the weights may have.

    Raises:
        UnsupportedError: types, or how they are quantised.
        ValueError: shapes that do not go together.
    """
    tensor = node.input(position)
    if tensor.values is None or tensor.dtype not in types:
        raise UnsupportedError(f"its weights, {describe(tensor)}, must be a constant of {' or '.join(types)}")
    if len(tensor.shape) != rank or min(tensor.shape) < 1:
        raise ValueError(f"its weights, {describe(tensor)}, must have {rank} axes and no empty one")
    channels = tensor.shape[axis]
    if len(tensor.scale) not in (1, channels) or (len(tensor.scale) > 1 and tensor.axis != axis):
        raise ValueError(
            f"its weights, {describe(tensor)}, have {len(tensor.scale)} scales along axis {tensor.axis}, must have 1 "
            f"or {channels} along axis {axis}"
        )
    values, zero = _centred(tensor, tensor.values)
    quantization = Quantization(tensor.scale, zero, axis if len(tensor.scale) > 1 else None)
    builder = node.builder
    wide = node.input(source).dtype == "INT16"
    # Kernels of packed weights have no -8, which symmetric quantisation does not make either.
    bits = 4 if tensor.dtype == "INT4" and tensor.values.min() > -8 else 8
    if wide and bits == 4:
        raise UnsupportedError(f"its weights, {describe(tensor)}, must be INT8 for INT16 activations")
    name = builder.constant(
        Tensor(builder.name_of(tensor), tensor.shape, bits=bits, quantization=quantization),
        values,
    )
    scale = activation_scale(node.input(source)).scale[0]
    sums = Quantization(tuple(scale * each for each in tensor.scale), 0, quantization.axis and 0)
    return name, _bias(node, node.optional_input(bias), channels, sums, wide), (tensor.shape[1], tensor.shape[-2])


def _centred(tensor: FileTensor, values: NDArray[Any]) -> tuple[NDArray[np.int8], int]:
    """Weights with the zero point 0 where they fit int8 then, else as they are; and their zero point.

    Raises:
        UnsupportedError: there is one other than 0, and the file does not have them as UINT8.
    """
    if not any(tensor.zero_point):
        return values.astype(np.int8), 0
    if not tensor.unsigned or len(tensor.zero_point) > 1:
        raise UnsupportedError(f"its weights, {describe(tensor)}, must be symmetric (zero point 0)")
    centred = values.astype(np.int16) - tensor.zero_point[0]
    return (centred.astype(np.int8), 0) if abs(centred).max() <= 127 else (values, tensor.zero_point[0])


def _bias(node: Node, tensor: FileTensor | None, channels: int, quantization: Quantization, wide: bool) -> str:
    """The constant for the bias; zeros where there is none. That of int16 activations (``wide``) is int64."""
    builder, dtype = node.builder, "INT64" if wide else "INT32"
    values: Constant
    if tensor is None:
        name = f"t{node.output.index}.no_bias"
        values = np.zeros(channels, dtype.lower())
    elif tensor.values is None or tensor.dtype != dtype:
        raise UnsupportedError(f"its bias, {describe(tensor)}, must be an {dtype} constant")
    elif tensor.values.size != channels:
        raise ValueError(f"its bias, {describe(tensor)}, must have {channels} elements")
    else:
        name = builder.name_of(tensor)
        values = tensor.values.ravel().astype(dtype.lower())
    if wide:
        return builder.constant(Tensor(name, (channels,), "int64", 64, quantization), values)
    return builder.constant(Tensor(name, (channels,), "int32", 32, quantization), values)


CONVERTERS: Mapping[str, Converter] = {
    "CONV_2D": Converter(_conv2d, UNSIGNED, limits="a batch of one; weights INT8, INT4 or UINT8"),
    "DEPTHWISE_CONV_2D": Converter(_depthwise, UNSIGNED, limits="a batch of one; weights INT8, INT4 or UINT8"),
    "TRANSPOSE_CONV": Converter(_transpose_conv, limits="a batch of one"),
    "FULLY_CONNECTED": Converter(
        _fully_connected, UNSIGNED, limits="constant weights, INT8, INT4 or UINT8, in the default format"
    ),
}
