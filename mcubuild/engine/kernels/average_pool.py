"""Average pooling, the global one included."""

from typing import ClassVar

from mcubuild.engine.kernels.base import CostTable
from mcubuild.engine.kernels.pool import LargestPool
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.graph import AveragePool2D


class AveragePool(LargestPool):
    """AveragePool2D with windows of any size and stride, four channels at a time."""

    kind = "average_pool"
    cost: ClassVar[CostTable] = {
        "cortex-m4": {
            "call": 0.00,
            "cut": 165.34,
            "cut_element": 3.03,
            "cut_row": 0.00,
            "element": 3.34,
            "four": 23.48,
            "row": 0.00,
        },
        "cortex-m7": {
            "call": 122.03,
            "cut": 99.18,
            "cut_element": 2.60,
            "cut_row": 0.00,
            "element": 1.25,
            "four": 10.84,
            "row": 3.83,
        },
    }

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every AveragePool2D."""
        return isinstance(layer.op, AveragePool2D)


KERNEL = AveragePool()
