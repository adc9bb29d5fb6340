"""Convolution of any shape with the DSP extension: windows of four pixels are gathered, then multiplied two by two."""

from collections.abc import Mapping
from math import ceil, prod

from mcubuild.engine.assembly import product
from mcubuild.engine.assembly.constants import Channels, Constants
from mcubuild.engine.assembly.product import PIXELS, Depth
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.conv2d import KERNEL as PORTABLE
from mcubuild.engine.layer import Layer, align
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import Conv2D


class GeneralConv2DDsp(Kernel):
    """Conv2D with any filter size, stride and padding."""

    kind = "conv2d_dsp"
    common = "product"
    family = "conv2d"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """What the portable kernel does, with more than one filter."""
        return PORTABLE.serves(layer, target) and layer.filters > 1 and product.serves(layer, target)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """Four windows in 16 bits; one with its padding; the outputs of four pixels, where there may be fewer."""
        return _depth(layer).scratch_bytes + _window_bytes(layer) + _tile_bytes(layer)

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Gather a window, multiply."""
        runs, columns = layer.kernel_size
        return product.gather(runs, columns * layer.input.shape[3], 1), _depth(layer).routine(layer)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Pairs of filters."""
        windows = channels.weights.reshape(layer.filters, layer.kernel_size[0], -1)
        return product.stream(channels, windows, _depth(layer), 2)

    def constant_bytes(self, layer: Layer) -> int:
        """Pairs of filters."""
        return product.stream_bytes(layer.filters, _depth(layer).words, 2)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes, routines, places in the scratch."""
        op = layer.op
        assert isinstance(op, Conv2D)
        gather, multiply = self.routines(layer)
        depth = _depth(layer)
        return {
            "width": layer.input.shape[2],
            "channels": layer.input.shape[3],
            "columns": layer.output.shape[2],
            "filters": layer.filters,
            "size": layer.kernel_size,
            "stride": op.stride,
            "padding": op.padding,
            "padded": any(op.padding),
            "narrow": _tile_bytes(layer) > 0,
            "window": depth.scratch_bytes,
            "tile": depth.scratch_bytes + _window_bytes(layer),
            "depth": depth,
            "gather": gather.name,
            "product": multiply.name,
        }

    def code_bytes(self, layer: Layer) -> int:
        """One loop over pixels, and the copy of padded windows."""
        return 1200 if _window_bytes(layer) else 450

    def work(self, layer: Layer) -> Mapping[str, int]:
        """See ``product.work``; bytes of whole words and others that are gathered, windows, bytes copied as padding."""
        _, rows, columns, _ = layer.output.shape
        tiles = ceil(rows * columns / PIXELS)
        windows = tiles * PIXELS
        runs, run = layer.kernel_size[0], layer.kernel_size[1] * layer.input.shape[3]
        return product.work(tiles, layer.filters, _depth(layer)) | {
            "copy": windows * runs * (run // 4 * 4),
            "rest": windows * runs * (run % 4),
            "window": windows,
            "border": _borders(layer) * runs * run,
        }


def _depth(layer: Layer) -> Depth:
    return Depth.of(prod(layer.weights.shape[1:]), layer.weights.bits)


def _window_bytes(layer: Layer) -> int:
    op = layer.op
    assert isinstance(op, Conv2D)
    return align(prod(layer.weights.shape[1:])) if any(op.padding) else 0


def _tile_bytes(layer: Layer) -> int:
    return PIXELS * layer.filters if layer.output.shape[2] < PIXELS else 0


def _borders(layer: Layer) -> int:
    """Output pixels whose windows reach into the padding."""
    op = layer.op
    assert isinstance(op, Conv2D)
    inside = [
        sum(i * stride - low >= 0 and i * stride - low + size <= length for i in range(count))
        for count, length, size, stride, low in zip(
            layer.output.shape[1:3], layer.input.shape[1:3], layer.kernel_size, op.stride, op.padding[::2], strict=True
        )
    ]
    return prod(layer.output.shape[1:3]) - prod(inside)


KERNEL = GeneralConv2DDsp()
