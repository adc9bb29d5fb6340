"""Slices and transpositions: a copy whose addresses on either side grow by constant steps."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import BOTH, CostTable, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.nest import Nest, contiguous, nest
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Slice, Transpose


class StridedCopy(Kernel):
    """Slice and Transpose."""

    kind = "rearrange"
    dtypes = BOTH
    cost: ClassVar[CostTable] = {
        "cortex-m4": {"run": 30.0, "output": 3.0},
        "cortex-m7": {"run": 20.0, "output": 1.5},
    }

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Slice and Transpose."""
        return isinstance(layer.op, Slice | Transpose)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops."""
        return copy_context(_loops(layer))

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops."""
        return 350

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Copies of neighbouring bytes, and bytes."""
        sizes = copy_context(_loops(layer))["run"]
        assert isinstance(sizes, int)
        return {"run": layer.output.elements // sizes, "output": layer.output.elements}


def copy_context(loops: Nest) -> dict[str, object]:
    """Names for the template's macro ``copy``: the innermost loop is one memcpy where both sides allow it."""
    together = loops.strides["input"][-1] == loops.strides["output"][-1] == 1
    return {
        "sizes": loops.sizes[:-1] if together else loops.sizes,
        "run": loops.sizes[-1] if together else 1,
        "at": (
            Nest(loops.sizes[:-1], {name: steps[:-1] for name, steps in loops.strides.items()}, loops.offsets)
            if together
            else loops
        ).indices,
    }


def _loops(layer: Layer) -> Nest:
    op = layer.op
    steps = contiguous(layer.input.shape)
    offset = 0
    if isinstance(op, Slice):
        offset = sum(begin * step for begin, step in zip(op.begin, steps, strict=True))
        steps = tuple(stride * step for stride, step in zip(op.stride, steps, strict=True))
    else:
        assert isinstance(op, Transpose)
        steps = tuple(steps[axis] for axis in op.permutation)
    return nest(
        layer.output.shape, {"input": steps, "output": contiguous(layer.output.shape)}, {"input": offset, "output": 0}
    )


KERNEL = StridedCopy()
