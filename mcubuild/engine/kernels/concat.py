"""Concatenation: each operand copied to its place."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mcubuild.engine.assembly.nest import contiguous, nest
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.kernels.rearrange import copies, copy_context
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.movement import Concat


class Join(Kernel):
    """Concat."""

    kind = "concat"
    ops = (Concat,)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops for each operand."""
        return {"parts": self._parts(layer)}

    def _parts(self, layer: Layer) -> list[dict[str, Any]]:
        op = layer.op
        assert isinstance(op, Concat)
        steps = contiguous(layer.output.shape)
        parts, begin = [], 0
        for name in op.inputs:
            shape = layer.graph.tensor(name).shape
            loops = nest(shape, {"input": contiguous(shape), "output": steps}, {"output": begin * steps[op.axis]})
            parts.append(copy_context(loops))
            begin += shape[op.axis]
        return parts

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops for each operand."""
        op = layer.op
        assert isinstance(op, Concat)
        return 100 + 450 * len(op.inputs)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, and what ``copies`` counts of each operand."""
        found = Counter(call=1)
        for part in self._parts(layer):
            found.update(copies(part))
        return found


KERNEL = Join()
