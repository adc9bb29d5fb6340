"""Slices and transpositions: a copy whose addresses on either side grow by constant steps."""

from collections.abc import Mapping
from math import prod
from typing import Any

from mcubuild.engine.assembly.nest import Nest, contiguous, nest
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.movement import Slice, Transpose

_INLINE = 16
"""Bytes for which compilers call no function."""


class StridedCopy(Kernel):
    """Slice and Transpose."""

    kind = "rearrange"
    ops = (Slice, Transpose)
    dtypes = BOTH

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops."""
        return copy_context(_loops(layer))

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops; compilers unroll what moves single bytes."""
        return 3700 if copy_context(_loops(layer))["run"] == 1 else 1100

    def work(self, layer: Layer) -> Mapping[str, int]:
        """See ``copies``."""
        return {"call": 1, **copies(copy_context(_loops(layer)))}


def copy_context(loops: Nest) -> dict[str, Any]:
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


def copies(context: Mapping[str, Any]) -> dict[str, int]:
    """Features of the cost of the template's macro ``copy``, see ``copied``."""
    return copied(prod(context["sizes"]), context["run"])


def copied(times: int, run: int) -> dict[str, int]:
    """Features of the cost of copying ``run`` bytes so many times.

    These are calls of memcpy and their bytes; or single bytes, or, as compilers know what to do with few bytes, words
    and what is left over.
    """
    if run > _INLINE:
        return {"run": times, "byte": times * run}
    if run == 1:
        return {"single": times}
    return {"short": times, "word": times * (run // 4), "rest": times * (run % 4).bit_count()}


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
