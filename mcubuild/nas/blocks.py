"""A network as a row of blocks between which a single tensor is live.

Skeletons, float networks and footprints are all made from this one description. A block is hashable: blocks that look
the same cost the same, wherever they stand.
"""

from dataclasses import dataclass
from typing import TypeAlias

from mcubuild.nas.arch import FIRST_KERNEL, STEM_KERNEL, STRIDES, Arch


@dataclass(frozen=True)
class Stem:
    """Convolution of the image: (side, side, inputs) -> (ceil(side / stride), ..., outputs), ReLU6."""

    side: int
    inputs: int
    outputs: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Bottleneck:
    """Inverted bottleneck: expand 1x1 (ReLU6) unless hidden = inputs, depthwise (ReLU6), project 1x1, residual add."""

    side: int
    inputs: int
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
class Separable:
    """Depthwise 3x3, then 1x1, both with ReLU6: (side, side, inputs) -> (ceil(side / stride), ..., outputs)."""

    side: int
    inputs: int
    outputs: int
    stride: int


@dataclass(frozen=True)
class Basic:
    """Two 3x3 convolutions beside a shortcut, ReLU after their sum: the basic block of ResNet.

    (side, side, inputs) -> (ceil(side / stride), ..., outputs)
    """

    side: int
    inputs: int
    outputs: int
    stride: int

    @property
    def projects(self) -> bool:
        """Whether the shortcut is a 1x1 convolution: wherever the shapes differ."""
        return self.stride != 1 or self.inputs != self.outputs


@dataclass(frozen=True)
class MaxPool:
    """Largest of 3x3 pixels at stride 2: (side, side, inputs) -> (ceil(side / 2), ..., inputs)."""

    side: int
    inputs: int


@dataclass(frozen=True)
class Mix:
    """1x1 convolution (ReLU6) before the head: (side, side, inputs) -> (side, side, outputs); baselines have it."""

    side: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Head:
    """Global average pool and classifier: (side, side, inputs) -> (classes,)."""

    side: int
    inputs: int
    classes: int


@dataclass(frozen=True)
class Flat:
    """Classifier of all pixels, without a pool: (side, side, inputs) -> (classes,)."""

    side: int
    inputs: int
    classes: int


Block: TypeAlias = Stem | Bottleneck | Separable | Basic | MaxPool | Mix | Head | Flat


def blocks(arch: Arch) -> dict[str, Block]:
    """The blocks of ``arch`` by name, in the order in which they run.

    The names are stem, first, stages.<stage>.<block>, head; a block has the same name in every network of the space.
    """
    space = arch.space
    stem = Stem(space.resolution, space.channels, space.stem, STEM_KERNEL, STRIDES[0])
    side, width = -(-stem.side // stem.stride), space.stem
    row: dict[str, Block] = {"stem": stem, "first": Bottleneck(side, width, width, space.first, FIRST_KERNEL, 1)}
    width = space.first
    for stage, choices in enumerate(arch.stages):
        outputs = space.stages[stage]
        for index, (kernel, expansion) in enumerate(choices):
            stride = STRIDES[stage + 1] if index == 0 else 1
            row[f"stages.{stage}.{index}"] = Bottleneck(side, width, width * expansion, outputs, kernel, stride)
            side, width = -(-side // stride), outputs
    row["head"] = Head(side, width, space.classes)
    return row
