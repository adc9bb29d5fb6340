"""Filters over time of rank one."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.graph import Dtype
from mcubuild.ir.ops.svdf import Svdf


class TimeFilters(Kernel):
    """Svdf."""

    kind = "svdf"
    ops = (Svdf,)
    dtypes: ClassVar[frozenset[Dtype]] = frozenset({"int8", "int16", "int32"})

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Sizes, the memory's type and limits, and the numbers."""
        op, graph = layer.op, layer.graph
        assert isinstance(op, Svdf)
        memory = graph.tensor(op.memory)
        return {
            "inputs": layer.input.elements,
            "filters": memory.shape[1],
            "length": memory.shape[2],
            "rank": op.rank,
            "memory_type": f"{memory.dtype}_t",
            "memory_limits": memory.limits,
            "numbers": op.parameters(graph),
        }

    def code_bytes(self, layer: Layer) -> int:
        """Three loops."""
        return 700

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Products, filters."""
        op = layer.op
        assert isinstance(op, Svdf)
        return {"mac": layer.macs, "filter": layer.graph.tensor(op.memory).shape[1]}


KERNEL = TimeFilters()
