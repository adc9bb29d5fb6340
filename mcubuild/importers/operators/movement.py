"""Operators that compute nothing: their result holds elements of their operands, in other places."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from mcubuild.importers.builder import Node, UnsupportedError, activation_scale, describe, with_batch
from mcubuild.importers.operators.axes import normal_axes, opened, strided
from mcubuild.importers.operators.converter import UNSIGNED, Converter
from mcubuild.importers.operators.fused import image
from mcubuild.importers.tflite_file import FileTensor
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Quantization, Tensor
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Concat, Gather, Pad, Slice, Transpose


def _reshape(node: Node) -> None:
    """Also squeeze, expand dims: the file says what shape comes out."""
    builder, result = node.builder, node.output
    x = node.activation(0)
    quantization = _same_scale(node, node.input(0), result)
    if quantization != activation_scale(result):
        raise UnsupportedError("its input and output must share scale and zero point")
    name = builder.view(x, with_batch(result.shape), builder.name_of(result))
    builder.alias(result, name)


def _concatenation(node: Node) -> None:
    builder, result = node.builder, node.output
    if node.option("FusedActivationFunction") != 0:
        raise UnsupportedError("has a fused activation function")
    tensors = [node.input(position) for position in range(len(node.op.inputs))]
    if not tensors:
        raise ValueError("has no operands")
    rank = len(result.shape)
    (axis,) = normal_axes([node.option("Axis")], rank)
    for tensor in tensors:
        if len(tensor.shape) != rank:
            raise ValueError(f"joins {describe(tensor)} to {rank} axes")
        _same_scale(node, tensor, result)
    parts = [builder.view(builder.activation(tensor), (1, *tensor.shape)) for tensor in tensors]
    offset = 1
    if axis > 0 and all(tensor.shape[0] == 1 for tensor in tensors):
        parts, offset = [builder.activation(tensor) for tensor in tensors], 0
    builder.emit(lambda out: Concat(tuple(parts), out, axis + offset), result)


def _split(node: Node) -> None:
    """Operands: axis, tensor."""
    tensor, results = node.input(1), node.outputs
    (axis,) = normal_axes(node.integers(0)[:1], len(tensor.shape))
    if not results or tensor.shape[axis] % len(results):
        raise ValueError(f"splits {tensor.shape[axis]} elements into {len(results)} parts")
    _cut(node, tensor, axis, [tensor.shape[axis] // len(results)] * len(results))


def _split_v(node: Node) -> None:
    """Operands: tensor, sizes, axis."""
    tensor, sizes = node.input(0), node.integers(1)
    (axis,) = normal_axes(node.integers(2)[:1], len(tensor.shape))
    if sizes.count(-1) == 1:
        rest = tensor.shape[axis] - sum(sizes) - 1
        sizes = tuple(rest if size == -1 else size for size in sizes)
    if len(sizes) != len(node.outputs) or min(sizes, default=0) < 1 or sum(sizes) != tensor.shape[axis]:
        raise ValueError(f"splits {tensor.shape[axis]} elements into {sizes} for {len(node.outputs)} results")
    _cut(node, tensor, axis, list(sizes))


def _cut(node: Node, tensor: FileTensor, axis: int, sizes: list[int]) -> None:
    begin = 0
    for result, size in zip(node.outputs, sizes, strict=True):
        rank = len(tensor.shape)
        starts = tuple(begin if each == axis else 0 for each in range(rank))
        shape = tuple(size if each == axis else tensor.shape[each] for each in range(rank))
        _take(node, tensor, result, starts, (1,) * rank, shape)
        begin += size


def _slice(node: Node) -> None:
    """Operands: tensor, begin, size."""
    tensor, begin, size = node.input(0), node.integers(1), node.integers(2)
    if not len(begin) == len(size) == len(tensor.shape):
        raise ValueError(f"has {len(begin)} begins and {len(size)} sizes for {describe(tensor)}")
    shape = tuple(
        whole - start if count == -1 else count for whole, start, count in zip(tensor.shape, begin, size, strict=True)
    )
    _take(node, tensor, node.output, begin, (1,) * len(begin), shape)


def _strided_slice(node: Node) -> None:
    """Operands: tensor, begin, end, stride."""
    tensor = node.input(0)
    ranges = strided(node.op.options, tensor.shape, *(node.integers(position) for position in (1, 2, 3)))
    _take(
        node,
        tensor,
        node.output,
        tuple(each.start for each in ranges),
        tuple(each.step for each in ranges),
        tuple(len(each) for each in ranges),
    )


def _take(
    node: Node,
    tensor: FileTensor,
    result: FileTensor,
    begin: tuple[int, ...],
    stride: tuple[int, ...],
    shape: tuple[int, ...],
) -> None:
    """A slice; all in the file's axes."""
    if min(shape, default=1) < 1:
        raise ValueError(f"takes {shape} of {describe(tensor)}")
    _same_scale(node, tensor, result)
    touched = [0] if tensor.shape[:1] == (1,) and (begin[0], shape[0]) != (0, 1) else []
    x, offset = opened(node, tensor, touched)
    lead = (0,) * offset, (1,) * offset, (1,) * offset
    node.builder.emit(lambda out: Slice(x, out, (*lead[0], *begin), (*lead[1], *stride), (*lead[2], *shape)), result)


def _pad(node: Node) -> None:
    """Operands: tensor, (before, after) of each axis, and in version 2 the value."""
    tensor, result = node.input(0), node.output
    _same_scale(node, tensor, result)
    numbers = node.integers(1)
    if len(numbers) != 2 * len(tensor.shape) or not all(0 <= number <= 1 << 16 for number in numbers):
        raise ValueError(f"pads {describe(tensor)} by {numbers}; there must be two numbers an axis")
    pads = tuple((numbers[2 * axis], numbers[2 * axis + 1]) for axis in range(len(tensor.shape)))
    value = activation_scale(result).zero_point
    filling = node.optional_input(2)
    if filling is not None:
        if filling.values is None or filling.dtype != result.dtype or filling.values.size != 1:
            raise UnsupportedError(f"pads with {describe(filling)}, must be one {result.dtype} constant")
        value = int(filling.values.ravel()[0])
    x, offset = opened(node, tensor, [0] if pads and any(pads[0]) else [])
    node.builder.emit(lambda out: Pad(x, out, ((0, 0),) * offset + pads, value), result)


def _transpose(node: Node) -> None:
    tensor, order = node.input(0), node.integers(1)
    rank = len(tensor.shape)
    if sorted(order) != list(range(rank)):
        raise ValueError(f"has permutation {order} of {rank} axes")
    _same_scale(node, tensor, node.output)
    x, offset = opened(node, tensor, [] if order[:1] == (0,) else [0])
    lead = tuple(range(offset))
    node.builder.emit(lambda out: Transpose(x, out, (*lead, *(axis + offset for axis in order))), node.output)


def _blocks(node: Node, size: Shape, result: FileTensor) -> None:
    """The block's two axes, behind those of height and width or before the channels, swapped with the other place.

    Args:
        node: the operator.
        size: of the operand with the blocks' axes apart, (1, H, a, W, b, C).
        result: of the operator.
    """
    _same_scale(node, node.input(0), result)
    x = node.builder.view(node.activation(0), size)
    node.builder.emit(lambda out: Transpose(x, out, (0, 1, 3, 2, 4, 5)), result)


def _space_to_depth(node: Node) -> None:
    _, (height, width) = image(node, 0)
    block, channels = node.option("BlockSize"), node.input(0).shape[3]
    if block < 1 or height % block or width % block:
        raise ValueError(f"has blocks of {block} in an image of {height}x{width}")
    _blocks(node, (1, height // block, block, width // block, block, channels), node.output)


def _depth_to_space(node: Node) -> None:
    _, (height, width) = image(node, 0)
    block, channels = node.option("BlockSize"), node.input(0).shape[3]
    if block < 1 or channels % (block * block):
        raise ValueError(f"makes blocks of {block} of {channels} channels")
    _blocks(node, (1, height, width, block, block, channels // block // block), node.output)


def _pack(node: Node) -> None:
    builder, result = node.builder, node.output
    (axis,) = normal_axes([node.option("Axis")], len(result.shape))
    parts = []
    for position in range(len(node.op.inputs)):
        tensor = node.input(position)
        _same_scale(node, tensor, result)
        opened_shape = (1, *tensor.shape[:axis], 1, *tensor.shape[axis:])
        parts.append(builder.view(builder.activation(tensor), opened_shape))
    if not parts:
        raise ValueError("has no operands")
    builder.emit(lambda out: Concat(tuple(parts), out, axis + 1), result)


def _unpack(node: Node) -> None:
    tensor = node.input(0)
    (axis,) = normal_axes([node.option("Axis")], len(tensor.shape))
    if len(node.outputs) != tensor.shape[axis]:
        raise ValueError(f"takes {describe(tensor)} apart into {len(node.outputs)} results")
    _cut(node, tensor, axis, [1] * len(node.outputs))


def _gather(node: Node) -> None:
    """Operands: tensor, indices; where these are an activation of int8, it is looked up in the tensor."""
    tensor, result = node.input(0), node.output
    if node.input(1).values is None and node.input(1).dtype == "INT8":
        x, table, values = node.activation(1), f"{node.builder.name_of(result)}.table", tensor.values
        if values is None or tensor.shape != (256,):
            raise UnsupportedError("has indices that are computed; they must be constants")
        name = node.builder.constant(Tensor(table, (256,)), np.asarray(values, np.int8))
        node.builder.emit(lambda out: Lookup(x, name, out), result)
        return
    (axis,) = normal_axes([node.option("Axis")], len(tensor.shape))
    if node.option("BatchDims"):
        raise UnsupportedError("has batch dimensions")
    indices = node.constants(1)
    if not all(0 <= index < tensor.shape[axis] for index in indices):
        raise ValueError(f"has indices outside of {tensor.shape[axis]} elements")
    _same_scale(node, tensor, result)
    x, offset = opened(node, tensor, [axis])
    node.builder.emit(lambda out: Gather(x, out, axis + offset, indices), result)


def _mirror_pad(node: Node) -> None:
    """Operands: tensor, (before, after) of each axis."""
    tensor, result = node.input(0), node.output
    numbers, edge = node.integers(1), node.option("Mode")  # 0: REFLECT leaves the edge out, 1: SYMMETRIC repeats it
    pads = list(zip(numbers[::2], numbers[1::2], strict=True)) if len(numbers) == 2 * len(tensor.shape) else []
    if not pads or edge not in (0, 1):
        raise ValueError(f"pads {describe(tensor)} by {numbers} in mode {edge}")
    _same_scale(node, tensor, result)
    x, offset = opened(node, tensor, [0] if any(pads[0]) or len(pads) == 1 else [])
    padded = [axis for axis, pad in enumerate(pads) if any(pad)] or [len(pads) - 1]
    for axis in padded:
        size, (before, after) = tensor.shape[axis], pads[axis]
        if not (0 <= before <= size - 1 + edge and 0 <= after <= size - 1 + edge):
            raise ValueError(f"mirrors {before} and {after} of {size} elements")
        ends = range(before - edge, -edge, -1), range(size - 2 + edge, size - 2 + edge - after, -1)
        indices = (*ends[0], *range(size), *ends[1])
        if axis != padded[-1]:
            make = partial(_gathered, x, axis + offset, indices)
            builder = node.builder
            x = builder.step(make, f"{builder.name_of(result)}.raw{axis}", builder.quantization(x), builder.dtype(x))
        else:
            node.builder.emit(partial(_gathered, x, axis + offset, indices), result)


def _gathered(x: str, axis: int, indices: Shape, out: str) -> Gather:
    return Gather(x, out, axis, indices)


def _same_scale(node: Node, source: FileTensor, result: FileTensor) -> Quantization:
    """Scale and zero point that both must have.

    Raises:
        UnsupportedError: they differ, as if the operator computed something.
    """
    before = node.builder.quantization(node.builder.activation(source))
    after = activation_scale(result)
    if source.dtype != result.dtype:
        raise UnsupportedError(f"its input is {source.dtype}, its output {result.dtype}; they must be the same")
    if before != after:
        raise UnsupportedError(
            f"its input has scale {before.scale[0]} and zero point {before.zero_point}, its output has "
            f"{after.scale[0]} and {after.zero_point}; they must be the same"
        )
    return before


CONVERTERS: Mapping[str, Converter] = {
    "RESHAPE": Converter(_reshape, UNSIGNED),
    "SQUEEZE": Converter(_reshape, UNSIGNED),
    "EXPAND_DIMS": Converter(_reshape, UNSIGNED),
    "CONCATENATION": Converter(
        _concatenation, UNSIGNED, limits="operands and result share their scale; no fused activation"
    ),
    "SPLIT": Converter(_split, UNSIGNED),
    "SPLIT_V": Converter(_split_v, UNSIGNED),
    "SLICE": Converter(_slice, UNSIGNED),
    "STRIDED_SLICE": Converter(_strided_slice, UNSIGNED, limits="no ellipsis, new axis or offset"),
    "PAD": Converter(_pad, UNSIGNED),
    "PADV2": Converter(_pad, UNSIGNED),
    "TRANSPOSE": Converter(_transpose, UNSIGNED),
    "SPACE_TO_DEPTH": Converter(_space_to_depth, types=("INT8",), limits="a batch of one"),
    "DEPTH_TO_SPACE": Converter(_depth_to_space, types=("INT8",), limits="a batch of one"),
    "PACK": Converter(_pack, types=("INT8",), limits="operands and result share their scale"),
    "UNPACK": Converter(_unpack, types=("INT8",)),
    "GATHER": Converter(
        _gather,
        types=("INT8",),
        limits="constant indices, or of a table of 256 values at CAST + 128; no batch dimensions",
    ),
    "MIRROR_PAD": Converter(_mirror_pad, types=("INT8",)),
}
