"""Max pooling with the DSP extension: SSUB8 compares four channels, SEL takes the larger ones."""

from collections.abc import Mapping
from math import ceil

from mcubuild.engine.assembly.routine import Routine
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.kernels.pool import GeneralPool, inside
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.pool import MaxPool2D

_FARTHEST = 2**12
"""Distances that an instruction adds are below it."""
_GROUP = 16
"""Channels at a time."""


class LargestPool(GeneralPool):
    """MaxPool2D of four channels or more, sixteen at a time."""

    kind = "pool_dsp"
    family = "pool"
    dtypes = Kernel.dtypes

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every MaxPool2D with as many channels as a word holds."""
        return isinstance(layer.op, MaxPool2D) and target.assembly and 4 <= layer.input.shape[3] < _FARTHEST

    def routines(self, layer: Layer) -> tuple[Routine, ...]:
        """The largest elements of one window."""
        _, _, width, channels = layer.input.shape
        values = (("channels", channels), ("pitch", width * channels))
        words = ceil(channels % _GROUP / 4)
        code = 76 + (62 + 16 * 4 if channels >= _GROUP else 0) + (54 + 20 * words if words else 0)
        return (Routine("largest", values, code),)

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Shapes and the routine."""
        return {**super().context(layer), "routine": self.routines(layer)[0].name}

    def code_bytes(self, layer: Layer) -> int:
        """Two loops and a call."""
        return 350

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, windows, groups of channels, their rows, words; of windows only what lies inside."""
        _, height, width, channels = layer.output.shape
        rows, columns = inside(layer)
        groups = ceil(channels / _GROUP)
        return {
            "call": 1,
            "window": height * width,
            "group": height * width * groups,
            "row": rows * width * groups,
            "word": rows * columns * ceil(channels / 4),
        }


KERNEL = LargestPool()
