"""Search spaces, which are scaled copies of what ``backbones`` lists, and the networks inside them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from mcubuild.nas.space.backbones import BACKBONES, EVERY, LEAST_STAGES, Backbone, Choice, Row, round_channels
from mcubuild.nas.space.blocks import Block, MaxPool, head
from mcubuild.resolution import Resolution, square

BASE_RESOLUTIONS = tuple(range(48, 225, 16))
"""The paper's input sides, for images of up to 224 pixels."""
Stage: TypeAlias = tuple[Choice, ...]
Place: TypeAlias = tuple[int, bool, Choice | None, Choice | None]
"""What the shape of a block depends on within its space: stage, whether others precede it there, its choice, and the
choice before where that sets the channels it reads."""


def resolutions_for(max_resolution: int) -> tuple[int, ...]:
    """The paper's twelve resolutions scaled to ``max_resolution`` pixels, rounded to even, at least 8, sorted.

    None is above ``max_resolution``. Small data sets have fewer: resolutions that coincide count once.
    """
    scaled = {2 * round(base * max_resolution / BASE_RESOLUTIONS[-1] / 2) for base in BASE_RESOLUTIONS}
    return tuple(sorted({max(8, min(resolution, max_resolution // 2 * 2)) for resolution in scaled}))


def stages_of_stride(block: str, stride: int) -> int:
    """How many stages a detector with cells of ``stride`` pixels has: as many as reduce the picture to these; or 0."""
    most = len(BACKBONES[block].widths)

    def left(side: int, count: int) -> int:
        return largest(Space(1.0, square(side), 1, 1, count, block)).blocks()["head"].size.height

    counts = range(1, most + 1)
    return max((count for count in counts if (left(stride, count), left(2 * stride, count)) == (1, 2)), default=0)


def stages_for(resolution: Resolution, block: str = "mobile", *, series: bool = False) -> int:
    """How many stages make sense for small images: those that leave large enough maps behind, and two at least."""
    space = Space(1.0, resolution, 1, 1, block=block, series=series)
    behind = [*(sides[0] for sides in space.sides[1:]), largest(space).blocks()["head"].size.longer]
    return max(LEAST_STAGES, sum(side >= space.backbone.least_side for side in behind))


@dataclass(frozen=True)
class Space:
    """A scaled copy of a backbone: what all its networks have in common."""

    width: float
    """Multiplier of the backbone's widths."""
    resolution: Resolution
    """Of the input; series are one pixel wide."""
    channels: int
    """Of the input."""
    classes: int
    count: int = 6
    """Stages: the first ones of the backbone's; never more than it has."""
    block: str = "mobile"
    """One of EVERY."""
    series: bool = False
    """Whether networks read series of values, (length, 1, channels), with kernels k x 1."""
    stride: int = 0
    """Pixels a cell, of detectors, whose ``classes`` are the values that they put out for it; 0: of all others."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", min(self.count, len(self.backbone.widths)))

    @property
    def backbone(self) -> Backbone:
        """What it is a scaled copy of."""
        return EVERY[self.block]

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(round_channels(base * self.width) for base in self.backbone.widths[: self.count])

    @property
    def depths(self) -> tuple[tuple[int, ...], ...]:
        """Blocks that each stage may have."""
        return self.backbone.depths[: self.count]

    @cached_property
    def sides(self) -> tuple[tuple[int, ...], ...]:
        """Pixels of the longer side of the maps that the blocks of each stage read, as many as it may have."""
        some = (self.backbone.kernels[0], self.backbone.expansions(self.stages[0])[0])
        blocks = Arch(self, tuple((some,) * max(depths) for depths in self.depths)).blocks()
        return tuple(
            tuple(blocks[f"stages.{stage}.{index}"].size.longer for index in range(max(depths)))
            for stage, depths in enumerate(self.depths)
        )

    @cached_property
    def kernels(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Kernels that the blocks of each stage may have.

        On a map of n pixels, taps more than n - 1 pixels from the centre meet nothing but padding: a kernel above
        2 n - 1 computes the same as the next smaller one, only slower, and is left out.
        """
        least, *_ = kernels = self.backbone.kernels
        return tuple(tuple(tuple(k for k in kernels if k <= max(least, 2 * n - 1)) for n in row) for row in self.sides)

    @cached_property
    def expansions(self) -> tuple[tuple[int, ...], ...]:
        """Expansions that the blocks of each stage may have."""
        return tuple(self.backbone.expansions(outputs) for outputs in self.stages)

    @cached_property
    def options(self) -> tuple[tuple[int, ...], ...]:
        """What each gene may be: for each stage its depth, then kernel and expansion of each block it may have."""
        options: list[tuple[int, ...]] = []
        for depths, kernels, expansions in zip(self.depths, self.kernels, self.expansions, strict=True):
            options.append(depths)
            for choices in kernels:
                options += (choices, expansions)
        return tuple(options)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What each of ``options`` chooses: "depth", "kernel" or "expansion"."""
        return tuple(kind for depths in self.depths for kind in ("depth", *(("kernel", "expansion") * max(depths))))

    @property
    def name(self) -> str:
        """Short, in the paper's manner, ``w0.5-r144``; ``w0.5-r64-s4`` has only four stages, ``plain-...`` others."""
        name = f"w{self.width:g}-r{self.resolution}"
        if self.count < len(self.backbone.widths):
            name += f"-s{self.count}"
        return name if self.block == "mobile" else f"{self.block}-{name}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Space":
        """The space that ``to_json`` described."""
        return cls(**{**values, "resolution": Resolution(**values["resolution"])})


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
    def resolution(self) -> Resolution:
        """Of the input."""
        return self.space.resolution

    @property
    def key(self) -> str:
        """The choices as text, kernel x expansion, stages apart by a slash: ``3x4.5x6/3x3...``; unique in the space."""
        return "/".join(".".join(f"{kernel}x{expansion}" for kernel, expansion in stage) for stage in self.stages)

    def blocks(self) -> dict[str, Block]:
        """The blocks by name, in the order in which they run.

        Names are those of the backbone's first blocks, stages.<stage>.<block>, stages.<stage>.pool, head; a block has
        the same name in every network of the space.
        """
        space, backbone = self.space, self.space.backbone
        row = Row(space.resolution, space.channels, series=space.series)
        backbone.lead(row, space.width)
        for stage, choices in enumerate(self.stages):
            for index, choice in enumerate(choices):
                block = backbone.block(row, stage, index, space.stages[stage], choice)
                row.append(f"stages.{stage}.{index}", block)
            if backbone.pools:
                row.append(f"stages.{stage}.pool", MaxPool(row.size, row.channels, 2))
        return row.blocks | {
            "head": head(row.size, row.channels, space.classes, stride=space.stride, series=space.series)
        }

    def places(self) -> list[Place]:
        """What the shape of each of ``blocks`` depends on, much faster to tell than the blocks."""
        backbone, before = self.space.backbone, None
        places: list[Place] = [(-lead, False, None, None) for lead in range(len(backbone.leads), 0, -1)]
        for stage, choices in enumerate(self.stages):
            for index, choice in enumerate(choices):
                places.append((stage, index > 0, choice, before))
                if backbone.chained:
                    before = choice
            if backbone.pools:
                places.append((stage, True, None, before))
        places.append((len(self.stages), False, None, before))
        return places

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
