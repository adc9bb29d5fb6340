"""1x1 convolution with the DSP extension: four pixels by two filters at a time."""

from collections.abc import Mapping
from math import ceil

from mcubuild.engine.assembly import product
from mcubuild.engine.assembly.constants import Channels, Constants
from mcubuild.engine.assembly.product import PIXELS, Depth
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.pointwise import KERNEL as PORTABLE
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target


class PointwiseDsp(Kernel):
    """Conv2D of size 1x1, stride 1, without padding, at least four pixels wide."""

    kind = "pointwise_dsp"
    common = "product"
    family = "pointwise"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """What the portable kernel does, with enough pixels in a row that each run of rows has four."""
        return (
            PORTABLE.serves(layer, target)
            and layer.output.shape[2] >= PIXELS
            and layer.filters > 1
            and product.serves(layer, target)
        )

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """Four pixels in 16 bits."""
        return _depth(layer).scratch_bytes

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Gather four pixels, multiply."""
        return product.gather(1, layer.input.shape[3], PIXELS), _depth(layer).routine(layer)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Pairs of filters."""
        windows = channels.weights.reshape(layer.filters, 1, -1)
        return product.stream(channels, windows, _depth(layer), 2)

    def constant_bytes(self, layer: Layer) -> int:
        """Pairs of filters."""
        return product.stream_bytes(layer.filters, _depth(layer).words, 2)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and routines."""
        gather, multiply = self.routines(layer)
        depth = _depth(layer)
        return {
            "columns": layer.output.shape[2],
            "channels": layer.input.shape[3],
            "filters": layer.filters,
            "depth": depth,
            "gather": gather.name,
            "product": multiply.name,
        }

    def code_bytes(self, layer: Layer) -> int:
        """One loop over pixels."""
        return 250

    def work(self, layer: Layer) -> Mapping[str, int]:
        """See ``product.work``."""
        _, rows, columns, _ = layer.output.shape
        tiles = ceil(rows * columns / PIXELS)
        return product.work(tiles, layer.filters, _depth(layer)) | {"copy": tiles * PIXELS * layer.input.shape[3]}


def _depth(layer: Layer) -> Depth:
    return Depth.of(layer.input.shape[3], layer.weights.bits)


KERNEL = PointwiseDsp()
