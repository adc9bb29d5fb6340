"""Concatenation: each operand copied to its place."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.kernels.rearrange import copy_context
from mcubuild.engine.layer import Layer
from mcubuild.engine.nest import contiguous, nest
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Concat


class Join(Kernel):
    """Concat."""

    kind = "concat"
    dtypes = BOTH
    cost: ClassVar[CostTable] = {"cortex-m4": {"output": 3.0}, "cortex-m7": {"output": 1.5}}

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Concat."""
        return isinstance(layer.op, Concat)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops for each operand."""
        op = layer.op
        assert isinstance(op, Concat)
        steps = contiguous(layer.output.shape)
        parts, begin = [], 0
        for name in op.inputs:
            shape = layer.graph.tensor(name).shape
            loops = nest(shape, {"input": contiguous(shape), "output": steps}, {"output": begin * steps[op.axis]})
            parts.append(copy_context(loops))
            begin += shape[op.axis]
        return {"parts": parts}

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops for each operand."""
        op = layer.op
        assert isinstance(op, Concat)
        return 100 + 250 * len(op.inputs)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Outputs."""
        return {"output": layer.output.elements}


KERNEL = Join()
