"""Published networks to compare with: their skeletons at any width and resolution.

Widths scale as those of the search space do, the convolution before the head included, as in the baselines of MCUNet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.ir.graph import Graph
from mcubuild.nas.arch import round_channels
from mcubuild.nas.blocks import Block, Bottleneck, Head, Mix, Stem
from mcubuild.nas.skeleton import row_skeleton


@dataclass(frozen=True)
class _Row:
    """Bottlenecks of equal width; the first has the stride."""

    width: int
    stride: int
    blocks: tuple[tuple[int, int], ...]
    """Kernel and expansion of each."""


def _repeat(expansion: int, width: int, blocks: int, stride: int) -> _Row:
    return _Row(width, stride, ((3, expansion),) * blocks)


# Sandler et al., "MobileNetV2" (arXiv 1801.04381), table 2: t, c, n, s.
_MOBILENET_V2 = (
    _repeat(1, 16, 1, 1),
    _repeat(6, 24, 2, 2),
    _repeat(6, 32, 3, 2),
    _repeat(6, 64, 4, 2),
    _repeat(6, 96, 3, 1),
    _repeat(6, 160, 3, 2),
    _repeat(6, 320, 1, 1),
)
# Cai et al., "ProxylessNAS" (arXiv 1812.00332), figure 4, the network found for mobile phones.
_PROXYLESS_MOBILE = (
    _Row(16, 1, ((3, 1),)),
    _Row(32, 2, ((5, 3), (3, 3))),
    _Row(40, 2, ((7, 3), (3, 3), (5, 3), (5, 3))),
    _Row(80, 2, ((7, 6), (5, 3), (5, 3), (5, 3))),
    _Row(96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    _Row(192, 2, ((7, 6), (7, 6), (7, 3), (7, 3))),
    _Row(320, 1, ((7, 6),)),
)
_STEM, _MIX = 32, 1280


def mobilenet_v2(width: float, resolution: int, classes: int = 1000, bits: int = 8) -> Graph:
    """MobileNetV2: input (1, resolution, resolution, 3), output (1, classes)."""
    return _build(f"mbv2-w{width:g}-r{resolution}", _MOBILENET_V2, width, resolution, classes, bits)


def proxyless_mobile(width: float, resolution: int, classes: int = 1000, bits: int = 8) -> Graph:
    """ProxylessNAS for mobile phones: input (1, resolution, resolution, 3), output (1, classes)."""
    return _build(f"proxyless-w{width:g}-r{resolution}", _PROXYLESS_MOBILE, width, resolution, classes, bits)


def _build(name: str, rows: Sequence[_Row], width: float, resolution: int, classes: int, bits: int) -> Graph:
    stem = Stem(resolution, 3, round_channels(_STEM * width), 3, 2)
    parts: dict[str, Block] = {"stem": stem}
    side, channels = -(-resolution // 2), stem.outputs
    for number, row in enumerate(rows):
        outputs = round_channels(row.width * width)
        for index, (kernel, expansion) in enumerate(row.blocks):
            stride = row.stride if index == 0 else 1
            block = Bottleneck(side, channels, channels * expansion, outputs, kernel, stride)
            parts[f"stages.{number}.{index}"] = block
            side, channels = -(-side // stride), outputs
    mix = Mix(side, channels, round_channels(_MIX * width))
    parts |= {"mix": mix, "head": Head(side, mix.outputs, classes)}
    return row_skeleton(name, parts, bits)
