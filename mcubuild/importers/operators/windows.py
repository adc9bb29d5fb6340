"""Pooling, reductions, products of matrices and resizing."""

from collections.abc import Callable, Mapping

from mcubuild.importers.builder import Node, UnsupportedError, activation_scale, describe
from mcubuild.importers.operators.axes import normal_axes, opened
from mcubuild.importers.operators.converter import UNSIGNED, Converter
from mcubuild.importers.operators.fused import fused_clamp, image, padding, pair
from mcubuild.ir.graph import Quantization
from mcubuild.ir.ops.matmul import MatMul
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D, Pool
from mcubuild.ir.ops.reduction import ArgMax, Mean, ReduceMax, Reduction, Sum
from mcubuild.ir.ops.resize import Resize


def _pool(kind: type[Pool]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        x, size = image(node, 0)
        window, stride = pair(node, "FilterHeight", "FilterWidth", 4096), pair(node, "StrideH", "StrideW", 4096)
        pad = padding(node, size, window, stride)
        clamp = fused_clamp(node)
        origin = {"origin": -128} if kind is AveragePool2D and node.output.unsigned else {}
        node.builder.emit(lambda out: kind(x, out, window, stride, clamp, pad, **origin), node.output)

    return convert


def _reduction(kind: type[Reduction]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        tensor = node.input(0)
        axes = normal_axes(node.integers(1), len(tensor.shape))
        x, offset = opened(node, tensor, axes)
        if kind is ReduceMax and node.builder.quantization(x) != activation_scale(node.output):
            raise UnsupportedError("its input and output must share scale and zero point")
        node.builder.emit(lambda out: kind(x, out, tuple(axis + offset for axis in axes)), node.output)

    return convert


def _arg_max(node: Node) -> None:
    """Operands: tensor, axis."""
    tensor, result = node.input(0), node.output
    if result.dtype != "INT32":
        raise UnsupportedError(f"gives {describe(result)}, must be INT32")
    (axis,) = normal_axes(node.integers(1)[:1], len(tensor.shape))
    x, offset = opened(node, tensor, [axis])
    node.builder.emit(lambda out: ArgMax(x, out, axis + offset), result, Quantization((1.0,)))


def _batch_matmul(node: Node) -> None:
    builder = node.builder
    tensors, names = [node.input(k) for k in (0, 1)], [node.activation(k) for k in (0, 1)]
    if tensors[0].dtype != tensors[1].dtype or tensors[0].dtype != node.output.dtype:
        raise UnsupportedError("its operands and its result must have one type")
    rank = max(3, *(len(tensor.shape) for tensor in tensors))
    if min(len(tensor.shape) for tensor in tensors) < 2:
        raise ValueError("multiplies vectors, must be matrices")
    left, right = (
        builder.view(name, (1,) * (rank - len(tensor.shape)) + tensor.shape)
        for name, tensor in zip(names, tensors, strict=True)
    )
    if {builder.shape(name)[0] for name in (left, right)} != {1}:
        left, right = (builder.view(name, (1, *builder.shape(name))) for name in (left, right))
    transposed = bool(node.option("AdjX")), bool(node.option("AdjY"))
    builder.emit(lambda out: MatMul(left, right, out, transposed), node.output)


def _resize(method: str) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        x, _ = image(node, 0)
        size = node.integers(1)
        if len(size) != 2 or not all(0 < each <= 4096 for each in size):
            raise ValueError(f"resizes to {size}, must be a height and a width")
        if node.builder.quantization(x) != activation_scale(node.output):
            raise UnsupportedError("its input and output must share scale and zero point")
        corners, centers = bool(node.option("AlignCorners")), bool(node.option("HalfPixelCenters"))
        node.builder.emit(
            lambda out: Resize(
                x, out, (size[0], size[1]), "nearest" if method == "nearest" else "bilinear", corners, centers
            ),
            node.output,
        )

    return convert


CONVERTERS: Mapping[str, Converter] = {
    "AVERAGE_POOL_2D": Converter(_pool(AveragePool2D), UNSIGNED, limits="a batch of one"),
    "MAX_POOL_2D": Converter(_pool(MaxPool2D), UNSIGNED, limits="a batch of one"),
    "MEAN": Converter(_reduction(Mean), UNSIGNED, limits="constant axes"),
    "SUM": Converter(_reduction(Sum), types=("INT8",), limits="constant axes"),
    "REDUCE_MAX": Converter(
        _reduction(ReduceMax), types=("INT8",), limits="constant axes; input and output share their scale"
    ),
    "ARG_MAX": Converter(_arg_max, types=("INT8", "INT32"), limits="output INT32"),
    "BATCH_MATMUL": Converter(_batch_matmul),
    "RESIZE_NEAREST_NEIGHBOR": Converter(_resize("nearest"), limits="a batch of one; constant size"),
    "RESIZE_BILINEAR": Converter(_resize("bilinear"), limits="a batch of one; constant size", types=("INT8",)),
}
