"""The network as a row of blocks, and how each is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt

from mcubuild.report.layers import Layer
from mcubuild.resolution import Resolution, square

KERNELS = (1, 3, 5, 7)
"""Filter sides that have a colour of their own."""
TITLES = {
    "conv2d": "conv",
    "pointwise": "conv",
    "depthwise": "dw",
    "fully_connected": "linear",
    "average_pool": "pool",
}
"""Of layers that stand alone, short enough for a narrow block; others are called what the engine calls them."""


@dataclass(frozen=True)
class Block:
    """A run of layers that an architecture names as one thing."""

    title: str
    """ "MB4" is an inverted bottleneck with expansion 4."""
    kind: str
    """``bottleneck`` or the kind of the only layer."""
    kernel: int
    channels: tuple[int, int, int]
    """At the input, in the middle, at the output."""
    size: tuple[Resolution, Resolution]
    """Of input and output."""
    residual: bool
    first: int
    last: int
    """Indexes of its layers."""
    cycles: float
    """Share of all cycles, 0 ... 1."""

    @property
    def style(self) -> str:
        """The colour of its kernel."""
        return f"k{self.kernel}" if self.kernel in KERNELS else "k1"

    def outline(self, most: int) -> str:
        """Points of a polygon, 60 wide and at most 60 high around y = 0, as high as the block has channels.

        The area of a square is its number of channels: heights grow with the square root.

        Args:
            most: channels that are 60 high.
        """
        entry, middle, end = (30 * sqrt(count / most) for count in self.channels)
        top = [(0.0, -entry), (16.0, -middle), (44.0, -middle), (60.0, -end)]
        return " ".join(f"{x:g},{y:.1f}" for x, y in [*top, *((x, -y) for x, y in reversed(top))])


def blocks(layers: Sequence[Layer]) -> list[Block]:
    """The layers as inverted bottlenecks ([1x1] depthwise 1x1 [add]) and single layers."""
    total = sum(layer.cycles for layer in layers) or 1
    found: list[Block] = []
    at = 0
    while at < len(layers):
        kinds = [_kind(layer) for layer in layers[at : at + 4]]
        expand = kinds[:3] == ["pointwise", "depthwise", "pointwise"]
        if expand or kinds[:2] == ["depthwise", "pointwise"]:
            length = 3 if expand else 2
            residual = kinds[length : length + 1] == ["add"]
            run = layers[at : at + length + residual]
            middle, narrow = run[expand].shape_out[-1], run[0].shape_in[-1]
            title, kind = f"MB{middle / narrow:.2g}", "bottleneck"
        else:
            run, residual = layers[at : at + 1], False
            middle, kind = max(run[0].shape_in[-1], run[0].shape_out[-1]), run[0].kind
            title = TITLES.get(kind, kind)
        kernel = max(max(layer.kernel) for layer in run)
        found.append(
            Block(
                title=title,
                kind=kind,
                kernel=kernel,
                channels=(run[0].shape_in[-1], middle, run[-1].shape_out[-1]),
                size=(_pixels(run[0].shape_in), _pixels(run[-1].shape_out)),
                residual=residual,
                first=run[0].index,
                last=run[-1].index,
                cycles=sum(layer.cycles for layer in run) / total,
            )
        )
        at += len(run)
    return found


def _kind(layer: Layer) -> str:
    """What the layer computes: some 1x1 convolutions run in the kernel for convolutions of any size."""
    return "pointwise" if layer.kind == "conv2d" and max(layer.kernel) == layer.stride == 1 else layer.kind


def _pixels(shape: Sequence[int]) -> Resolution:
    return Resolution(*shape[1:3]) if len(shape) == 4 else square(1)


def by_size(row: Sequence[Block]) -> list[tuple[Resolution, list[Block]]]:
    """Neighbours with the same size of their output."""
    return [(size, list(group)) for size, group in groupby(row, key=lambda block: block.size[1])]
