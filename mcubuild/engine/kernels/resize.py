"""Resizing by the nearest pixel or bilinearly, with what belongs to each row and column in tables."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.kernels.rearrange import copied
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.resize import Resize


class TableResize(Kernel):
    """Resize."""

    kind = "resize"
    dtypes = BOTH

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Resize of int8, the nearest of int16."""
        return isinstance(layer.op, Resize) and (layer.op.method == "nearest" or not layer.wide)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes, and for each row and column the nearest one, or the two beside it and the weight of the second."""
        op = layer.op
        assert isinstance(op, Resize)
        _, height, width, channels = layer.input.shape
        common = {"rows": op.size[0], "columns": op.size[1], "width": width, "channels": channels, "method": op.method}
        if op.method == "nearest":
            return {**common, "ys": op.nearest(height, 0).tolist(), "xs": op.nearest(width, 1).tolist()}
        ys, xs = op.bilinear(height, 0), op.bilinear(width, 1)
        return {
            **common,
            "ys": list(zip(ys.low.tolist(), ys.high.tolist(), ys.weight.tolist(), strict=True)),
            "xs": list(zip(xs.low.tolist(), xs.high.tolist(), xs.weight.tolist(), strict=True)),
        }

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops, and the tables."""
        op = layer.op
        assert isinstance(op, Resize)
        return 1800 + (2 if op.method == "nearest" else 6) * sum(op.size)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, and what ``copied`` counts of the nearest pixels; or pixels, and elements that are mixed."""
        op = layer.op
        assert isinstance(op, Resize)
        pixels = op.size[0] * op.size[1]
        if op.method == "nearest":
            return {"call": 1, **copied(pixels, layer.output.shape[3])}
        # Compilers see along which axes all weights are 0.
        mixed = sum(bool(op.bilinear(layer.input.shape[1 + axis], axis).weight.any()) for axis in (0, 1))
        feature = ("single", "mixed_along_one", "mixed")[mixed]
        return {"call": 1, "pixel": pixels, feature: layer.output.elements}


KERNEL = TableResize()
