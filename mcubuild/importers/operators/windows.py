"""Pooling, means and resizing."""

from collections.abc import Callable, Mapping

from mcubuild.importers.builder import Node, UnsupportedError, activation_scale
from mcubuild.importers.operators.axes import normal_axes, opened
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.operators.fused import fused_clamp, image, padding, pair
from mcubuild.ir.graph import AveragePool2D, MaxPool2D, Mean, Pool, ReduceMax, Reduction, Resize, Sum


def _pool(kind: type[Pool]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        x, size = image(node, 0)
        window, stride = pair(node, "FilterHeight", "FilterWidth", 4096), pair(node, "StrideH", "StrideW", 4096)
        pad = padding(node, size, window, stride)
        clamp = fused_clamp(node)
        node.builder.emit(lambda out: kind(x, out, window, stride, clamp, pad), node.output)

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
    "AVERAGE_POOL_2D": Converter(_pool(AveragePool2D), limits="a batch of one"),
    "MAX_POOL_2D": Converter(_pool(MaxPool2D), limits="a batch of one"),
    "MEAN": Converter(_reduction(Mean), limits="constant axes"),
    "SUM": Converter(_reduction(Sum), types=("INT8",), limits="constant axes"),
    "REDUCE_MAX": Converter(
        _reduction(ReduceMax), types=("INT8",), limits="constant axes; input and output share their scale"
    ),
    "RESIZE_NEAREST_NEIGHBOR": Converter(_resize("nearest"), limits="a batch of one; constant size"),
    "RESIZE_BILINEAR": Converter(_resize("bilinear"), limits="a batch of one; constant size", types=("INT8",)),
}
