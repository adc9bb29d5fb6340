"""The base space, its scaled copies, and the networks inside them.

The base space is that of ProxylessNAS and once-for-all which MCUNet scales (arXiv 2007.10319, section 3.1): a stem, a
first block without expansion, and six stages of inverted bottlenecks with a choice of depth, kernel and expansion.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from mcubuild.nas.blocks import Block, Bottleneck, Head, Stem

STEM_WIDTH = 32
FIRST_WIDTH = 16
STAGE_WIDTHS = (24, 40, 80, 96, 192, 320)
"""Output channels of the six stages at width multiplier 1."""
STRIDES = (2, 2, 2, 2, 1, 2, 1)
"""Of the stem, then of the first block of each stage. With SAME padding a map never gets smaller than one pixel."""
DEPTHS = ((2, 3, 4), (2, 3, 4), (2, 3, 4), (2, 3, 4), (2, 3, 4), (1,))
"""Blocks that each stage may have."""
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
STEM_KERNEL = 3
FIRST_KERNEL = 3

BASE_RESOLUTIONS = tuple(range(48, 225, 16))
"""The paper's input sides, for images of up to 224 pixels."""
LEAST_SIDE = 4
"""Pixels of the smallest map worth a stage where images are small; each of the last stages has most of the weights."""
LEAST_STAGES = 2

Choice: TypeAlias = tuple[int, int]
"""Kernel and expansion of one block."""
Stage: TypeAlias = tuple[Choice, ...]


def round_channels(channels: float) -> int:
    """The multiple of 8 next to ``channels``, at least 8 and not more than 10 % below (MobileNetV2's rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def resolutions_for(max_resolution: int) -> tuple[int, ...]:
    """The paper's twelve resolutions scaled to ``max_resolution`` pixels, rounded to even, at least 8, sorted.

    None is above ``max_resolution``. Small data sets have fewer: resolutions that coincide count once.
    """
    scaled = {2 * round(base * max_resolution / BASE_RESOLUTIONS[-1] / 2) for base in BASE_RESOLUTIONS}
    return tuple(sorted({max(8, min(resolution, max_resolution // 2 * 2)) for resolution in scaled}))


def stages_for(resolution: int) -> int:
    """How many stages make sense for small images: those whose maps have ``LEAST_SIDE`` pixels, and two at least."""
    side, count = -(-resolution // STRIDES[0]), 0
    for stride in STRIDES[1:]:
        side = -(-side // stride)
        count += side >= LEAST_SIDE
    return max(LEAST_STAGES, count)


@dataclass(frozen=True)
class Space:
    """A scaled copy of the base space: what all its networks have in common."""

    width: float
    """Multiplier of the base widths."""
    resolution: int
    """Input side in pixels."""
    channels: int
    """Input channels: 1 (grey) or 3."""
    classes: int
    count: int = len(STAGE_WIDTHS)
    """Stages: the first ones of the base space's six."""

    @property
    def stem(self) -> int:
        """Channels that the stem writes."""
        return round_channels(STEM_WIDTH * self.width)

    @property
    def first(self) -> int:
        """Channels that the first block writes."""
        return round_channels(FIRST_WIDTH * self.width)

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Channels that each stage writes."""
        return tuple(round_channels(base * self.width) for base in STAGE_WIDTHS[: self.count])

    @property
    def depths(self) -> tuple[tuple[int, ...], ...]:
        """Blocks that each stage may have."""
        return DEPTHS[: self.count]

    @cached_property
    def kernels(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Kernels that the blocks of each stage may have.

        On a map of n pixels, taps more than n - 1 pixels from the centre meet nothing but padding: a kernel above
        2 n - 1 computes the same as the next smaller one, only slower, and is left out.
        """
        side = -(-self.resolution // STRIDES[0])
        stages = []
        for stride, depths in zip(STRIDES[1 : self.count + 1], self.depths, strict=True):
            sides = [side, *[-(-side // stride)] * (max(depths) - 1)]
            side = -(-side // stride)
            stages.append(tuple(tuple(k for k in KERNELS if k <= max(KERNELS[0], 2 * n - 1)) for n in sides))
        return tuple(stages)

    @cached_property
    def options(self) -> tuple[tuple[int, ...], ...]:
        """What each gene may be: for each stage its depth, then kernel and expansion of each block it may have."""
        options: list[tuple[int, ...]] = []
        for depths, kernels in zip(self.depths, self.kernels, strict=True):
            options.append(depths)
            for choices in kernels:
                options += (choices, EXPANSIONS)
        return tuple(options)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What each of ``options`` chooses: "depth", "kernel" or "expansion"."""
        return tuple(kind for depths in self.depths for kind in ("depth", *(("kernel", "expansion") * max(depths))))

    @property
    def name(self) -> str:
        """Short name in the paper's manner, such as ``w0.5-r144``; ``w0.5-r64-s4`` has only four stages."""
        name = f"w{self.width:g}-r{self.resolution}"
        return name if self.count == len(STAGE_WIDTHS) else f"{name}-s{self.count}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Space":
        """The space that ``to_json`` described."""
        return cls(**values)


@dataclass(frozen=True)
class Arch:
    """One network: a space and, for each stage, kernel and expansion of each of its blocks."""

    space: Space
    stages: tuple[Stage, ...]

    @property
    def name(self) -> str:
        """That of its space."""
        return self.space.name

    @property
    def resolution(self) -> int:
        """Input side in pixels."""
        return self.space.resolution

    @property
    def key(self) -> str:
        """The choices as text, kernel x expansion, stages apart by a slash: ``3x4.5x6/3x3...``; unique in the space."""
        return "/".join(".".join(f"{kernel}x{expansion}" for kernel, expansion in stage) for stage in self.stages)

    def blocks(self) -> dict[str, Block]:
        """The blocks by name, in the order in which they run.

        Names are stem, first, stages.<stage>.<block>, head; a block has the same name in every network of the space.
        """
        space = self.space
        stem = Stem(space.resolution, space.channels, space.stem, STEM_KERNEL, STRIDES[0])
        side, width = -(-stem.side // stem.stride), space.stem
        row: dict[str, Block] = {"stem": stem, "first": Bottleneck(side, width, width, space.first, FIRST_KERNEL, 1)}
        width = space.first
        for stage, choices in enumerate(self.stages):
            outputs = space.stages[stage]
            for index, (kernel, expansion) in enumerate(choices):
                stride = STRIDES[stage + 1] if index == 0 else 1
                row[f"stages.{stage}.{index}"] = Bottleneck(side, width, width * expansion, outputs, kernel, stride)
                side, width = -(-side // stride), outputs
        row["head"] = Head(side, width, space.classes)
        return row

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        stages = [[{"kernel": kernel, "expansion": expansion} for kernel, expansion in stage] for stage in self.stages]
        return {"space": self.space.to_json(), "stages": stages}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Arch":
        """The network that ``to_json`` described."""
        stages = tuple(tuple((block["kernel"], block["expansion"]) for block in stage) for stage in values["stages"])
        return cls(Space.from_json(values["space"]), stages)


def parse_key(space: Space, key: str) -> Arch:
    """The network of ``space`` whose ``key`` this is."""
    return Arch(space, tuple(tuple(_parse_block(block) for block in stage.split(".")) for stage in key.split("/")))


def _parse_block(text: str) -> Choice:
    kernel, expansion = text.split("x")
    return int(kernel), int(expansion)


def to_genes(arch: Arch, filler: Sequence[int]) -> list[int]:
    """``arch`` as one value for each of ``space.options``; those of blocks that it does not have are the filler's."""
    genes = list(filler)
    position = 0
    for stage, depths in zip(arch.stages, arch.space.depths, strict=True):
        own = [len(stage), *(value for choice in stage for value in choice)]
        genes[position : position + len(own)] = own
        position += 1 + 2 * max(depths)
    return genes


def from_genes(space: Space, genes: Sequence[int]) -> Arch:
    """The network that ``genes`` describe; those of blocks beyond a stage's depth do not matter."""
    stages = []
    position = 0
    for depths in space.depths:
        own = genes[position + 1 : position + 1 + 2 * genes[position]]
        stages.append(tuple(zip(own[::2], own[1::2], strict=True)))
        position += 1 + 2 * max(depths)
    return Arch(space, tuple(stages))


def smallest(space: Space) -> Arch:
    """The network with the fewest blocks, smallest kernels and expansions."""
    return from_genes(space, [min(options) for options in space.options])


def largest(space: Space) -> Arch:
    """The network with the most blocks, largest kernels and expansions: it holds the weights of all others."""
    return from_genes(space, [max(options) for options in space.options])


def draw_genes(space: Space, rng: np.random.Generator) -> list[int]:
    """Random genes, each uniform."""
    picks = rng.integers([len(options) for options in space.options]).tolist()
    return [options[index] for options, index in zip(space.options, picks, strict=True)]


def draw(space: Space, rng: np.random.Generator) -> Arch:
    """A random network: every depth, kernel and expansion uniform."""
    return from_genes(space, draw_genes(space, rng))


def draw_among(space: Space, kinds: Collection[str], rng: np.random.Generator) -> Arch:
    """A random network, choices of ``kinds`` ("depth", "kernel", "expansion") uniform, all others the largest."""
    genes = zip(space.kinds, space.options, draw_genes(space, rng), strict=True)
    return from_genes(space, [gene if kind in kinds else max(options) for kind, options, gene in genes])
