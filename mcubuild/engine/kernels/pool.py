"""Pooling of any kind: windows may reach over the edge."""

from collections.abc import Mapping
from math import prod
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.graph import MaxPool2D, Pool
from mcubuild.ir.parameters import parameters


class GeneralPool(Kernel):
    """MaxPool2D, and AveragePool2D with padding; the average without has a kernel of its own."""

    kind = "pool"
    dtypes = BOTH
    streams = True
    cost: ClassVar[CostTable] = {
        "cortex-m4": {"window": 60.0, "output": 15.0, "element": 5.0},
        "cortex-m7": {"window": 40.0, "output": 10.0, "element": 2.5},
    }

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every pooling, but for averages of int8 in windows that lie inside."""
        op = layer.op
        return isinstance(op, Pool) and (isinstance(op, MaxPool2D) or any(op.padding) or layer.wide)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes."""
        op = layer.op
        assert isinstance(op, Pool)
        _, _, width, channels = layer.input.shape
        clamp = parameters(layer.graph, op).clamp
        return {
            "largest": isinstance(op, MaxPool2D),
            "width": width,
            "channels": channels,
            "columns": layer.output.shape[2],
            "window": op.window,
            "stride": op.stride,
            "padding": op.padding,
            "low": clamp[0],
            "high": clamp[1],
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 600

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Windows, outputs, elements seen."""
        op = layer.op
        assert isinstance(op, Pool)
        outputs = layer.output.elements
        return {"window": prod(layer.output.shape[1:3]), "output": outputs, "element": outputs * prod(op.window)}


KERNEL = GeneralPool()
