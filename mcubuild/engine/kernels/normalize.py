"""Layer, group, instance and root mean square norm."""

from collections.abc import Mapping
from typing import ClassVar

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.ir.graph import Dtype
from mcubuild.ir.ops.normalize import Normalize


class SetNormalize(Kernel):
    """Normalize."""

    kind = "normalize"
    ops = (Normalize,)
    dtypes: ClassVar[frozenset[Dtype]] = frozenset({"int8", "int16", "int32"})

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """The input: each element is read for the last time before its place is written."""
        return (layer.input.name,)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Sizes and the numbers."""
        op = layer.op
        assert isinstance(op, Normalize)
        return {
            "outer": _sets(layer) // op.groups,
            "pixels": op.pixels,
            "groups": op.groups,
            "channels": op.channels,
            "centred": op.centred,
            "whole": layer.graph.tensor(op.weight).elements != op.groups * op.channels,
            "numbers": op.parameters(layer.graph),
        }

    def code_bytes(self, layer: Layer) -> int:
        """Two nests of loops, and the root."""
        return 1500

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Sets, outputs."""
        return {"set": _sets(layer), "output": layer.output.elements}


def _sets(layer: Layer) -> int:
    op = layer.op
    assert isinstance(op, Normalize)
    return layer.output.elements // (op.pixels * op.channels)


KERNEL = SetNormalize()
