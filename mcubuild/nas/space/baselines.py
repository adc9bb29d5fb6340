"""Published networks to compare with, at any width and resolution.

Widths scale as those of the search space do, the convolution before the head included, as in the baselines of MCUNet.
Activations are ReLU6 everywhere but after ResNet's sums, so that all networks are quantised alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mcubuild.nas.space.backbones import round_channels
from mcubuild.nas.space.blocks import Basic, Block, Bottleneck, Flat, MaxPool, Mix, Separable, Stem, head
from mcubuild.resolution import Resolution


@dataclass(frozen=True)
class Baseline:
    """A published network at some width and resolution."""

    baseline: str
    """One of BASELINES."""
    width: float
    """Multiplier of the published widths."""
    resolution: Resolution
    """Of the input; series are one pixel wide."""
    channels: int
    """Of the input."""
    classes: int
    series: bool = False
    """Whether it reads series of values, (length, 1, channels), with kernels k x 1."""
    stride: int = 0
    """Pixels a cell, of a detector, whose ``classes`` are the values that it puts out for it: the network ends before
    the first block that would leave larger ones."""

    @property
    def name(self) -> str:
        """Such as ``mobilenet_v2-w0.35-r144``."""
        return f"{self.baseline}-w{self.width:g}-r{self.resolution}"

    def blocks(self) -> dict[str, Block]:
        """The blocks by name, in the order in which they run."""
        row = _Row(self)
        BASELINES[self.baseline](row)
        return row.blocks

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Baseline":
        """The network that ``to_json`` described."""
        return cls(**{**values, "resolution": Resolution(**values["resolution"])})


class _Row:
    """Blocks behind each other: knows size and channels of the map at its end; ends where cells have their stride."""

    def __init__(self, baseline: Baseline) -> None:
        self.blocks: dict[str, Block] = {}
        self.size, self.channels = baseline.resolution, baseline.channels
        self._width, self._classes, self._series = baseline.width, baseline.classes, baseline.series
        self._stride, self._reduced, self._ended = baseline.stride, 1, False

    def scaled(self, channels: int) -> int:
        return round_channels(channels * self._width)

    def conv(self, name: str, outputs: int, kernel: int, stride: int) -> None:
        self._append(name, Stem(self.size, self.channels, self.scaled(outputs), kernel, stride), stride, outputs)

    def bottleneck(self, name: str, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        hidden, width = self.channels * expansion, self.scaled(outputs)
        self._append(name, Bottleneck(self.size, self.channels, hidden, width, kernel, stride), stride, outputs)

    def separable(self, name: str, outputs: int, stride: int) -> None:
        self._append(name, Separable(self.size, self.channels, self.scaled(outputs), stride), stride, outputs)

    def basic(self, name: str, outputs: int, stride: int) -> None:
        width = self.scaled(outputs)
        self._append(name, Basic(self.size, self.channels, width, width, stride), stride, outputs)

    def mix(self, outputs: int) -> None:
        self._append("mix", Mix(self.size, self.channels, self.scaled(outputs)), 1, outputs)

    def max_pool(self, name: str) -> None:
        if self._goes_on(2):
            self._place(name, MaxPool(self.size, self.channels, 3))
            self.size = self.size.reduced(2)

    def head(self) -> None:
        self._place("head", head(self.size, self.channels, self._classes, stride=self._stride))

    def flat(self) -> None:
        self._place("head", Flat(self.size, self.channels, self._classes))

    def _place(self, name: str, block: Block) -> None:
        self.blocks[name] = replace(block, series=self._series)

    def _goes_on(self, stride: int) -> bool:
        self._reduced *= stride
        self._ended = self._ended or 0 < self._stride < self._reduced
        return not self._ended

    def _append(self, name: str, block: Block, stride: int, outputs: int) -> None:
        if self._goes_on(stride):
            self._place(name, block)
            self.size, self.channels = self.size.reduced(stride), self.scaled(outputs)


@dataclass(frozen=True)
class _Stage:
    """Bottlenecks of equal width; the first has the stride."""

    width: int
    stride: int
    blocks: tuple[tuple[int, int], ...]
    """Kernel and expansion of each."""


def _repeat(kernel: int, expansion: int, width: int, blocks: int, stride: int) -> _Stage:
    return _Stage(width, stride, ((kernel, expansion),) * blocks)


# Sandler et al., "MobileNetV2" (arXiv 1801.04381), table 2: t, c, n, s.
_MOBILENET_V2 = (
    _repeat(3, 1, 16, 1, 1),
    _repeat(3, 6, 24, 2, 2),
    _repeat(3, 6, 32, 3, 2),
    _repeat(3, 6, 64, 4, 2),
    _repeat(3, 6, 96, 3, 1),
    _repeat(3, 6, 160, 3, 2),
    _repeat(3, 6, 320, 1, 1),
)
# Cai et al., "ProxylessNAS" (arXiv 1812.00332), figure 4, the network found for mobile phones.
_PROXYLESS_MOBILE = (
    _Stage(16, 1, ((3, 1),)),
    _Stage(32, 2, ((5, 3), (3, 3))),
    _Stage(40, 2, ((7, 3), (3, 3), (5, 3), (5, 3))),
    _Stage(80, 2, ((7, 6), (5, 3), (5, 3), (5, 3))),
    _Stage(96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    _Stage(192, 2, ((7, 6), (7, 6), (7, 3), (7, 3))),
    _Stage(320, 1, ((7, 6),)),
)
# Tan et al., "MnasNet" (arXiv 1807.11626), the variant B1 of the authors' code, without squeeze and excitation.
_MNASNET_B1 = (
    _repeat(3, 1, 16, 1, 1),
    _repeat(3, 3, 24, 3, 2),
    _repeat(5, 3, 40, 3, 2),
    _repeat(5, 6, 80, 3, 2),
    _repeat(3, 6, 96, 2, 1),
    _repeat(5, 6, 192, 4, 2),
    _repeat(3, 6, 320, 1, 1),
)
# Howard et al., "MobileNets" (arXiv 1704.04861), table 1: width and stride.
_MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def _mobile(stages: Sequence[_Stage]) -> Callable[[_Row], None]:
    def build(row: _Row) -> None:
        row.conv("stem", 32, 3, 2)
        for number, stage in enumerate(stages):
            for index, (kernel, expansion) in enumerate(stage.blocks):
                stride = stage.stride if index == 0 else 1
                row.bottleneck(f"stages.{number}.{index}", stage.width, kernel, expansion, stride)
        row.mix(1280)
        row.head()

    return build


def _mobilenet_v1(row: _Row) -> None:
    row.conv("stem", 32, 3, 2)
    for number, (width, stride) in enumerate(_MOBILENET_V1):
        row.separable(f"stages.{number}", width, stride)
    row.head()


def _ds_cnn(row: _Row) -> None:
    """Zhang et al., "Hello Edge" (arXiv 1711.07128), DS-CNN small, as MLPerf Tiny has it.

    Pictures are square here, so the first filter is, too: 7x7 instead of 10x4, about as many taps.
    """
    row.conv("stem", 64, 7, 2)
    for number in range(4):
        row.separable(f"stages.{number}", 64, 1)
    row.head()


def _resnet18(row: _Row) -> None:
    """He et al., "Deep residual learning" (arXiv 1512.03385), table 1."""
    row.conv("stem", 64, 7, 2)
    row.max_pool("stem_pool")
    for number, width in enumerate((64, 128, 256, 512)):
        row.basic(f"stages.{number}.0", width, 2 if number else 1)
        row.basic(f"stages.{number}.1", width, 1)
    row.head()


def _resnet8(row: _Row) -> None:
    """Banbury et al., "MLPerf Tiny" (arXiv 2106.07597), its network for CIFAR-10."""
    row.conv("stem", 16, 3, 1)
    for number, width in enumerate((16, 32, 64)):
        row.basic(f"stages.{number}", width, 2 if number else 1)
    row.head()


def _smallcifar(row: _Row) -> None:
    """Lai et al., "CMSIS-NN" (arXiv 1801.06601), table 1."""
    for number, width in enumerate((32, 32, 64)):
        row.conv(f"convs.{number}", width, 5, 1)
        row.max_pool(f"pools.{number}")
    row.flat()


BASELINES: dict[str, Callable[[_Row], None]] = {
    "mobilenet_v2": _mobile(_MOBILENET_V2),
    "proxyless": _mobile(_PROXYLESS_MOBILE),
    "mnasnet": _mobile(_MNASNET_B1),
    "resnet18": _resnet18,
    "smallcifar": _smallcifar,
    "ds_cnn": _ds_cnn,
    "mobilenet_v1": _mobilenet_v1,
    "resnet8": _resnet8,
}
"""What a spec's ``arch`` may be."""
