"""Fully connected layer with the DSP extension: the inputs once in 16 bits, times four filters at a time."""

from collections.abc import Mapping
from math import ceil

from mcubuild.engine.assembly import product
from mcubuild.engine.assembly.constants import Channels, Constants
from mcubuild.engine.assembly.product import Depth
from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel, products
from mcubuild.engine.kernels.fully_connected import KERNEL as PORTABLE
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target

_FILTERS = 4
_TURN = 4
"""Pairs of inputs a turn of the loop."""
_PART_BYTES = 92
"""Code that takes the second sums of a part."""


class MatrixVectorDsp(Kernel):
    """FullyConnected."""

    kind = "fully_connected_dsp"
    family = "fully_connected"

    def serves(self, layer: Layer, target: Target) -> bool:
        """What the portable kernel does."""
        return PORTABLE.serves(layer, target) and product.serves(layer, target)

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """The inputs in 16 bits."""
        return 4 * _depth(layer).pairs

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """Widen the inputs, multiply."""
        values, nbytes = product.variant(layer, _TURN, _PART_BYTES)
        nbytes += 400 if layer.weights.bits == 8 else 450
        return product.gather(1, layer.input.elements, 1, step=1), Routine("vector", values, nbytes)

    def constants(self, layer: Layer, channels: Channels) -> Constants:
        """Groups of filters."""
        windows = channels.weights.reshape(layer.filters, 1, -1)
        return product.stream(channels, windows, _depth(layer), _FILTERS)

    def constant_bytes(self, layer: Layer) -> int:
        """Groups of filters."""
        return product.stream_bytes(layer.filters, _depth(layer).words, _FILTERS)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and routines."""
        gather, vector = self.routines(layer)
        depth = _depth(layer)
        return {
            "channels": layer.input.elements,
            "filters": layer.filters,
            "pairs": depth.pairs,
            "group": 2 * depth.words + 16,
            "gather": gather.name,
            "vector": vector.name,
        }

    def code_bytes(self, layer: Layer) -> int:
        """Calls."""
        return 150

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Groups of four filters, turns of the loop over the inputs, inputs."""
        groups = ceil(layer.filters / _FILTERS)
        turns = groups * _depth(layer).pairs // _TURN
        return {products(layer, "turn"): turns, "group": groups, "copy": layer.input.elements, "call": 1}


def _depth(layer: Layer) -> Depth:
    return Depth(ceil(layer.input.elements / (2 * _TURN)) * _TURN, _TURN, layer.weights.bits)


KERNEL = MatrixVectorDsp()
