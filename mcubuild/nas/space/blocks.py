"""A network as a row of blocks between which a single tensor is live.

Skeletons, float networks and footprints are all made from this one description. A block is hashable: blocks that look
the same cost the same, wherever they stand.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from mcubuild.resolution import Resolution


@dataclass(frozen=True)
class _Reader:
    """What all blocks have: the map that they read."""

    size: Resolution
    """Its height and width."""
    inputs: int
    """Its channels."""
    series: bool = field(default=False, kw_only=True)
    """Whether maps are one pixel wide and kernels k x 1, as for samples that are series of values."""


@dataclass(frozen=True)
class Stem(_Reader):
    """Convolution of full depth: (height, width, inputs) -> (ceil(height / stride), ..., outputs), ReLU6."""

    outputs: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Bottleneck(_Reader):
    """Inverted bottleneck: expand 1x1 (ReLU6) unless hidden = inputs, depthwise (ReLU6), project 1x1, residual add."""

    hidden: int
    outputs: int
    kernel: int
    stride: int

    @property
    def expands(self) -> bool:
        """Whether there is an expanding convolution."""
        return self.hidden != self.inputs

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output: wherever the shapes allow it."""
        return self.stride == 1 and self.inputs == self.outputs


@dataclass(frozen=True)
class Separable(_Reader):
    """Depthwise 3x3, then 1x1, both with ReLU6: (height, width, inputs) -> (ceil(height / stride), ..., outputs)."""

    outputs: int
    stride: int


@dataclass(frozen=True)
class Basic(_Reader):
    """Two 3x3 convolutions beside a shortcut, ReLU after their sum: the basic block of ResNet.

    (height, width, inputs) -> (ceil(height / stride), ..., outputs), with ``hidden`` channels between the convolutions.
    """

    hidden: int
    outputs: int
    stride: int

    @property
    def projects(self) -> bool:
        """Whether the shortcut is a 1x1 convolution: wherever the shapes differ."""
        return self.stride != 1 or self.inputs != self.outputs


@dataclass(frozen=True)
class MaxPool(_Reader):
    """Largest of kernel x kernel pixels at stride 2: (height, width, inputs) -> (ceil(height / 2), ..., inputs)."""

    kernel: int

    @property
    def stride(self) -> int:
        """Always 2."""
        return 2

    @property
    def outputs(self) -> int:
        """As many as it reads."""
        return self.inputs


@dataclass(frozen=True)
class Mix(_Reader):
    """1x1 convolution (ReLU6) before the head, of baselines: (height, width, inputs) -> (height, width, outputs)."""

    outputs: int


@dataclass(frozen=True)
class Head(_Reader):
    """Global average pool and classifier: (height, width, inputs) -> (classes,)."""

    classes: int


@dataclass(frozen=True)
class Flat(_Reader):
    """Classifier of all pixels, without a pool: (height, width, inputs) -> (classes,)."""

    classes: int


@dataclass(frozen=True)
class Cells(_Reader):
    """1x1 convolution without activation, an answer a cell: (height, width, inputs) -> (height, width, outputs)."""

    outputs: int


End: TypeAlias = Head | Flat | Cells
"""The last block of a network."""
Block: TypeAlias = Stem | Bottleneck | Separable | Basic | MaxPool | Mix | End


def head(size: Resolution, inputs: int, outputs: int, *, stride: int, series: bool = False) -> Head | Cells:
    """The usual end: one answer for the whole sample, or where a detector has a ``stride`` one for each cell."""
    return Cells(size, inputs, outputs) if stride else Head(size, inputs, outputs, series=series)


class Described(Protocol):
    """A network, searched for or published: whatever arch.json may describe."""

    @property
    def name(self) -> str:
        """Short, such as ``w0.5-r144``."""

    @property
    def resolution(self) -> Resolution:
        """Of the input."""

    def blocks(self) -> dict[str, Block]:
        """Its blocks by name, in the order in which they run; the last is a Head or Flat."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
