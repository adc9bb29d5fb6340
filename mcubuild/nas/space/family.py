"""A search space and its neighbours in width and resolution, whose networks all share one super network."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mcubuild.nas.space.arch import Arch, Space, parse_key
from mcubuild.resolution import Resolution


@dataclass(frozen=True)
class Family:
    """A space alone, or with neighbours: together every pair of some widths and some resolutions.

    Width and resolution are two more genes of its networks, the leading ones. A space alone has no such genes, and
    nothing is drawn for them.
    """

    space: Space
    neighbours: tuple[Space, ...] = ()

    @cached_property
    def spaces(self) -> tuple[Space, ...]:
        """All of them."""
        return (self.space, *self.neighbours)

    @cached_property
    def widths(self) -> tuple[float, ...]:
        """Ascending."""
        return tuple(sorted({space.width for space in self.spaces}))

    @cached_property
    def resolutions(self) -> tuple[Resolution, ...]:
        """Ascending."""
        return tuple(sorted({space.resolution for space in self.spaces}))

    @cached_property
    def resolution(self) -> Resolution:
        """As high as the highest and as wide as the widest: images for all of them are reduced from it."""
        return Resolution(max(one.height for one in self.resolutions), max(one.width for one in self.resolutions))

    @cached_property
    def largest(self) -> Space:
        """The widest, with the highest resolution: the weights of its largest network are those of all others."""
        return self._space(self.widths[-1], self.resolutions[-1])

    @cached_property
    def smallest(self) -> Space:
        """The narrowest, with the lowest resolution."""
        return self._space(self.widths[0], self.resolutions[0])

    def key(self, arch: Arch) -> str:
        """The choices as text, behind the name of a neighbour (``w0.4-r64:3x4...``): unique in the family."""
        return arch.key if arch.space == self.space else f"{arch.space.name}:{arch.key}"

    def parse(self, key: str) -> Arch:
        """The network whose ``key`` this is.

        Raises:
            KeyError: it is of another space.
        """
        name, _, choices = key.rpartition(":")
        return parse_key({space.name: space for space in self.neighbours}[name] if name else self.space, choices)

    def draw(self, rng: np.random.Generator) -> Space:
        """A random one of the spaces."""
        return self.spaces[int(rng.integers(len(self.spaces)))] if self.neighbours else self.space

    def mutate(self, arch: Arch, rate: float, rng: np.random.Generator) -> Arch:
        """``arch`` with width and resolution each drawn afresh with probability ``rate``."""
        if not self.neighbours:
            return arch
        fresh, (wide, high) = self.draw(rng), (rng.random(2) < rate).tolist()
        return self._crossed(arch, fresh, wide, high)

    def cross(self, one: Arch, other: Arch, rng: np.random.Generator) -> Arch:
        """``one`` with width and resolution each from one of the two."""
        if not self.neighbours:
            return one
        wide, high = (rng.random(2) < 0.5).tolist()
        return self._crossed(one, other.space, wide, high)

    def smaller(self, arch: Arch) -> list[Arch]:
        """``arch`` one step narrower, and at one resolution lower, where there are such."""
        narrower = [width for width in self.widths if width < arch.space.width]
        lower = [resolution for resolution in self.resolutions if resolution < arch.space.resolution]
        spaces = [self._space(max(narrower), arch.space.resolution)] if narrower else []
        spaces += [self._space(arch.space.width, max(lower))] if lower else []
        return [within(arch, space) for space in spaces]

    def _crossed(self, arch: Arch, space: Space, wide: bool, high: bool) -> Arch:
        width = space.width if wide else arch.space.width
        resolution = space.resolution if high else arch.space.resolution
        return within(arch, self._space(width, resolution))

    def _space(self, width: float, resolution: Resolution) -> Space:
        return replace(self.space, width=width, resolution=resolution)


def within(arch: Arch, space: Space) -> Arch:
    """The network of ``space`` with the choices of ``arch``: kernels too large for its maps are its largest.

    Expansions that would give the channels of a larger one are that.
    """
    if arch.space == space:
        return arch
    stages = tuple(
        tuple(
            (min(kernel, max(kernels[index])), next(one for one in expansions if one >= expansion))
            for index, (kernel, expansion) in enumerate(stage)
        )
        for stage, kernels, expansions in zip(arch.stages, space.kernels, space.expansions, strict=True)
    )
    return Arch(space, stages)
