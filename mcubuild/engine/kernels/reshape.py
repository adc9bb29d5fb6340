"""Reshape: nothing to do where the output can lie over the input, otherwise a copy."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.ops.movement import Reshape


class Copy(Kernel):
    """Reshape. Where the planner puts the output over the input, no code is generated."""

    kind = "reshape"
    ops = (Reshape,)
    dtypes = BOTH | {"int32"}

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Number of bytes."""
        return {"nbytes": layer.output.nbytes}

    def code_bytes(self, layer: Layer) -> int:
        """A call of memcpy, where it is needed."""
        return 40

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls."""
        return {"call": 1}


KERNEL = Copy()
