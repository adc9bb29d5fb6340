"""Padding: the output filled, then the input copied into it."""

from collections.abc import Mapping

from mcubuild.engine.assembly.nest import contiguous, nest
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.kernels.pad_rows import leaves_one_image
from mcubuild.engine.kernels.rearrange import copies, copy_context
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.movement import Pad


class Fill(Kernel):
    """Pad of other tensors than images, or of 16 bits."""

    kind = "pad"
    dtypes = BOTH

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Pad but those that stream."""
        return isinstance(layer.op, Pad) and (layer.wide or not leaves_one_image(layer.op))

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops."""
        op = layer.op
        assert isinstance(op, Pad)
        steps = contiguous(layer.output.shape)
        offset = sum(before * step for (before, _), step in zip(op.padding, steps, strict=True))
        loops = nest(layer.input.shape, {"input": contiguous(layer.input.shape), "output": steps}, {"output": offset})
        return {**copy_context(loops), "value": op.value, "elements": layer.output.elements}

    def code_bytes(self, layer: Layer) -> int:
        """memset, and a nest of loops."""
        return 700

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, outputs that are filled, and what ``copies`` counts of the input."""
        return {"call": 1, "output": layer.output.elements, **copies(self.context(layer))}


KERNEL = Fill()
