"""The kinds of networks that are searched, by the blocks that they are made of: one more is a class and an entry here.

All have stages of blocks with a choice of depth, and of each block's kernel and "expansion", its width inside. What it
is relative to is the kind's business, as is what stands before the stages and at the end of each.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, TypeAlias

from mcubuild.nas.space.blocks import Basic, Block, Bottleneck, MaxPool, Stem
from mcubuild.resolution import Resolution

LEAST_STAGES = 2
"""Of small images."""

Choice: TypeAlias = tuple[int, int]
"""Kernel and expansion of one block."""
Inner: TypeAlias = Stem | Bottleneck | Basic | MaxPool
"""A block that another may follow."""


def round_channels(channels: float) -> int:
    """The multiple of 8 next to ``channels``, at least 8 and not more than 10 % below (MobileNetV2's rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class Row:
    """Blocks behind each other: knows size and channels of the map at its end."""

    def __init__(self, size: Resolution, channels: int, *, series: bool = False) -> None:
        self.blocks: dict[str, Block] = {}
        self.size, self.channels, self.series = size, channels, series

    def append(self, name: str, block: Inner) -> None:
        """Put ``block``, which reads the map at the end, there."""
        self.blocks[name] = replace(block, series=True) if self.series else block
        self.size, self.channels = self.size.reduced(block.stride), block.outputs


class Backbone(ABC):
    """What all spaces of a kind have in common."""

    widths: ClassVar[tuple[int, ...]]
    """Channels of the stages at width multiplier 1."""
    depths: ClassVar[tuple[tuple[int, ...], ...]]
    """Blocks that each stage may have."""
    kernels: ClassVar[tuple[int, ...]]
    """That a block may have, ascending."""
    least_side: ClassVar[int]
    """Pixels of the smallest map that a stage may leave behind where images are small."""
    leads: ClassVar[tuple[str, ...]]
    """Names of the blocks before the stages."""
    pools: ClassVar[bool]
    """Whether a block without choices, named "pool", ends each stage."""
    chained: ClassVar[bool]
    """Whether the expansion of a block sets the channels that it writes, and so the next one's shape, too."""

    @abstractmethod
    def expansions(self, outputs: int) -> tuple[int, ...]:
        """What a block may have in a stage of ``outputs`` channels, ascending."""

    @abstractmethod
    def lead(self, row: Row, width: float) -> None:
        """Append the blocks before the stages, at the multiplier ``width``."""

    @abstractmethod
    def block(self, row: Row, stage: int, index: int, outputs: int, choice: Choice) -> Inner:
        """The block ``index`` of ``stage``, which has ``outputs`` channels, to follow ``row``."""


class Mobile(Backbone):
    """The space of ProxylessNAS and once-for-all which MCUNet scales (arXiv 2007.10319, section 3.1).

    A stem, a first block without expansion, and six stages of inverted bottlenecks. Expansions multiply the inputs.
    """

    widths = (24, 40, 80, 96, 192, 320)
    depths = ((2, 3, 4), (2, 3, 4), (2, 3, 4), (2, 3, 4), (2, 3, 4), (1,))
    kernels = (3, 5, 7)
    least_side = 4  # each of the last stages has most of the weights
    leads = ("stem", "first")
    pools = chained = False
    strides = (2, 2, 2, 1, 2, 1)
    """Of the first block of each stage. With SAME padding a map never gets smaller than one pixel."""

    def expansions(self, outputs: int) -> tuple[int, ...]:
        """Three in any stage."""
        return (3, 4, 6)

    def lead(self, row: Row, width: float) -> None:
        """A convolution at stride 2 and a block without expansion."""
        row.append("stem", Stem(row.size, row.channels, round_channels(32 * width), 3, 2))
        row.append("first", Bottleneck(row.size, row.channels, row.channels, round_channels(16 * width), 3, 1))

    def block(self, row: Row, stage: int, index: int, outputs: int, choice: Choice) -> Bottleneck:
        """An inverted bottleneck."""
        kernel, expansion = choice
        stride = self.strides[stage] if index == 0 else 1
        return Bottleneck(row.size, row.channels, row.channels * expansion, outputs, kernel, stride)


class _Quarters(Backbone):
    """Kinds whose expansions are quarters of the stage's channels, rounded as all channels are."""

    def expansions(self, outputs: int) -> tuple[int, ...]:
        """From a half to all; of those that are rounded to the same channels, the largest."""
        return tuple(sorted({self.channels(outputs, quarters): quarters for quarters in (2, 3, 4)}.values()))

    def channels(self, outputs: int, expansion: int) -> int:
        """Those of a block."""
        return round_channels(outputs * expansion / 4)


class Plain(_Quarters):
    """Stages of 3x3 convolutions, each ended by a max pool: VGG (arXiv 1409.1556).

    Expansions say how many of the stage's channels a convolution writes.
    """

    widths = (64, 128, 192, 256, 256)
    depths = ((1, 2),) * 5  # a third convolution doubles what the largest network costs, and with it all training
    kernels = (3,)
    least_side = 4
    leads = ()
    pools = chained = True

    def lead(self, row: Row, width: float) -> None:
        """Nothing: the first stage reads the image."""

    def block(self, row: Row, stage: int, index: int, outputs: int, choice: Choice) -> Stem:
        """A convolution."""
        kernel, expansion = choice
        return Stem(row.size, row.channels, self.channels(outputs, expansion), kernel, 1)


class Residual(_Quarters):
    """A convolution and stages of basic blocks: ResNet for small images (arXiv 1512.03385, section 4.2).

    Expansions say how many of the stage's channels there are between the two convolutions of a block.
    """

    widths = (48, 96, 192, 256)
    depths = ((1, 2),) * 4
    kernels = (3,)
    least_side = 6  # three stages for images of 24 to 44 pixels, as in ResNet's and MLPerf Tiny's networks for 32
    leads = ("stem",)
    pools = chained = False

    def lead(self, row: Row, width: float) -> None:
        """A convolution as wide as the first stage."""
        row.append("stem", Stem(row.size, row.channels, round_channels(self.widths[0] * width), 3, 1))

    def block(self, row: Row, stage: int, index: int, outputs: int, choice: Choice) -> Basic:
        """A basic block, the first of a later stage at stride 2."""
        stride = 2 if stage and index == 0 else 1
        return Basic(row.size, row.channels, self.channels(outputs, choice[1]), outputs, stride)


class Dense(_Quarters):
    """Autoencoders of fully connected layers, as MLPerf Tiny's (arXiv 2106.07597): encoder, bottleneck, decoder.

    The first layer sees the whole window at once; on the single pixel that it leaves, convolutions connect everything.
    Expansions say how many of the stage's channels a layer has.
    """

    widths = (128, 16, 128)
    depths = ((1, 2, 3), (1,), (1, 2, 3))
    kernels = (1,)
    least_side = 1
    leads = ("stem",)
    pools = False
    chained = True

    def lead(self, row: Row, width: float) -> None:
        """A layer as wide as the first stage."""
        row.append(
            "stem",
            Stem(row.size, row.channels, round_channels(self.widths[0] * width), row.size.height, row.size.height),
        )

    def block(self, row: Row, stage: int, index: int, outputs: int, choice: Choice) -> Inner:
        """A layer."""
        kernel, expansion = choice
        return Stem(row.size, row.channels, self.channels(outputs, expansion), kernel, 1)


BACKBONES: dict[str, Backbone] = {
    "mobile": Mobile(),
    "plain": Plain(),
    "residual": Residual(),
}
"""What ``space.blocks`` may have, in the order in which they are shown."""
AUTOENCODER = "dense"
EVERY: dict[str, Backbone] = BACKBONES | {AUTOENCODER: Dense()}
"""These, and what autoencoders are made of."""
