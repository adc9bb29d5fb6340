"""Padding of images, a few rows at a time: rows are copied with their border, those above and below are filled."""

from collections.abc import Mapping

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.movement import Pad


class PadRows(Kernel):
    """Pad of height, width and channels."""

    kind = "pad_rows"
    family = "pad"
    streams = True

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every Pad of an image that leaves it one image."""
        return isinstance(layer.op, Pad) and leaves_one_image(layer.op)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Bytes."""
        op = layer.op
        assert isinstance(op, Pad)
        _, _, width, channels = layer.input.shape
        _, _, columns, filters = layer.output.shape
        return {
            "value": op.value,
            "row": columns * filters,
            "left": op.padding[2][0] * filters,
            "right": op.padding[2][1] * filters,
            "before": op.padding[3][0],
            "after": op.padding[3][1],
            "runs": 1 if channels == filters else width,
            "run": width * channels if channels == filters else channels,
        }

    def code_bytes(self, layer: Layer) -> int:
        """A loop, or two, around calls of memset and memcpy."""
        return 400

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Rows; bytes copied and filled, or pixels where each is copied by itself."""
        _, height, width, channels = layer.input.shape
        _, rows, _, filters = layer.output.shape
        wider = channels != filters
        pixels = height * width
        return {
            "call": 1,
            "row": rows,
            "byte": layer.output.elements - (pixels * filters if wider else 0),
            "pixel": pixels if wider else 0,
        }


def leaves_one_image(op: Pad) -> bool:
    """Whether ``op`` makes an image of an image."""
    return len(op.padding) == 4 and op.padding[0] == (0, 0)


KERNEL = PadRows()
