"""Fully connected layer: each pair of filters times the one input vector."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.packing import pair_bytes, pairs
from mcubuild.engine.kernels.base import Kernel, loops, products
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.weighted import FullyConnected


class MatrixVector(Kernel):
    """FullyConnected."""

    kind = "fully_connected"

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every FullyConnected of one row."""
        return isinstance(layer.op, FullyConnected) and len(layer.output.shape) == 2

    def scratch_bytes(self, layer: Layer, rows: int | None = None) -> int:
        """None; the sums, if passes are not fused."""
        return 0 if self.settings.fusion else 4 * layer.filters

    def weight_bytes(self, layer: Layer) -> int:
        """Packed in pairs of filters."""
        return pair_bytes(layer.filters, layer.input.elements, layer.weights.bits, self.together)

    def arrange(self, layer: Layer, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Pairs of filters, interleaved."""
        return pairs(weights, layer.weights.bits, self.together)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        return {"channels": layer.input.elements, "filters": layer.filters}

    def code_bytes(self, layer: Layer) -> int:
        """One tile loop for pairs of filters, another for an odd one."""
        return self.passes_bytes + 350 + 500 * loops(layer.filters)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products, outputs."""
        return {products(layer): layer.macs, "output": layer.filters, "call": 1}


KERNEL = MatrixVector()
