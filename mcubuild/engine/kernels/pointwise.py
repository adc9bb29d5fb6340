"""1x1 convolution: a matrix product of pixels and filters that reads the input where it lies."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import pair_bytes, pairs
from mcubuild.engine.kernels.base import Kernel, loops, matrix_products
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import Conv2D


class Pointwise(Kernel):
    """Conv2D of size 1x1, stride 1, without padding."""

    kind = "pointwise"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """1x1, stride 1, no padding."""
        op = layer.op
        small = isinstance(op, Conv2D) and layer.kernel_size == (1, 1) and op.stride == (1, 1) and not any(op.padding)
        return small and target.settings.model_im2col

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """None; the sums of a pair of filters, if passes are not fused."""
        pixels = (rows or layer.output.shape[1]) * layer.output.shape[2]
        return 0 if self.settings.fusion else 4 * self.together * pixels

    def weight_bytes(self, layer: Layer) -> int:
        """Packed in pairs of filters."""
        return pair_bytes(layer.filters, layer.input.shape[3], layer.weights.bits, self.together)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Pairs of filters, interleaved."""
        return pairs(weights.reshape(layer.filters, -1), layer.weights.bits, self.together)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        return {"width": layer.input.shape[2], "channels": layer.input.shape[3], "filters": layer.filters}

    def code_bytes(self, layer: Layer) -> int:
        """One tile loop for pairs of pixels and filters, another for each odd rest of either."""
        return self.passes_bytes + 330 + 750 * loops(layer.input.shape[2]) * loops(layer.filters)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """See ``matrix_products``; tiles of two pixels by two filters, outputs, pairs of filters."""
        pixels, pairs = prod(layer.input.shape[1:3]), -(-layer.filters // 2)
        return {
            **matrix_products(layer, pixels),
            "tile": -(-pixels // 2) * pairs,
            "output": layer.output.elements,
            "pair": pairs,
            "call": 1,
        }


KERNEL = Pointwise()
