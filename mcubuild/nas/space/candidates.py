"""Networks of a space that are within the limits: drawn at random, mutated, crossed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcubuild.engine.memory.footprint import Footprint
from mcubuild.errors import NothingFitsError
from mcubuild.nas.space.arch import Arch, Space, draw, draw_genes, from_genes, smallest, to_genes
from mcubuild.nas.space.family import Family, within
from mcubuild.nas.space.footprints import Footprints
from mcubuild.spec.deployment import Deployment
from mcubuild.units import format_size, format_time

_ATTEMPTS = 50
"""Proposals that are made afresh before the last one is made smaller instead."""


@dataclass(frozen=True)
class Limits:
    """What the firmware may use besides the RAM, which its footprints know."""

    flash: int
    """Bytes of Flash."""
    latency: float | None
    """Seconds an inference; None: any."""
    key: str = "budget.latency"
    """Of the spec: what sets ``latency``."""

    @classmethod
    def of(cls, deployment: Deployment) -> "Limits":
        """Those of a spec's deployment."""
        by_energy = deployment.budget.bound_by_energy(deployment.board.active_power_mw)
        return cls(deployment.flash, deployment.budget.latency, "budget.energy" if by_energy else "budget.latency")

    @property
    def keys(self) -> str:
        """Of the spec: what sets the limits, that of the RAM among them."""
        return "budget.sram or budget.flash" if self.latency is None else f"budget.sram, budget.flash or {self.key}"


class Candidates:
    """Proposes networks of a space, or of its ``neighbours``, too, within limits."""

    def __init__(self, space: Space, footprints: Footprints, limits: Limits, neighbours: Sequence[Space] = ()) -> None:
        """Check that there is such a network.

        Raises:
            NothingFitsError: even the smallest network of the spaces is above a limit.
        """
        self.family = Family(space, tuple(neighbours))
        self._footprints = footprints
        self._limits = limits
        least = smallest(self.family.smallest)
        broken = self._broken(footprints.of(least))
        if broken:
            raise NothingFitsError(
                f"budget: no network of the search space {least.name} fits: the smallest needs {', '.join(broken)}. "
                f"Raise {limits.keys}, or allow smaller networks in space.widths and space.resolutions."
            )

    def footprint(self, arch: Arch) -> Footprint:
        """What ``arch`` needs."""
        return self._footprints.of(arch)

    def latency(self, arch: Arch) -> float:
        """Seconds of one inference, estimated."""
        return self._footprints.latency(self._footprints.of(arch))

    def fits(self, arch: Arch) -> bool:
        """Whether ``arch`` is within every limit."""
        return self._footprints.fits(arch, self._limits.flash, self._limits.latency)

    def _broken(self, footprint: Footprint) -> list[str]:
        """What ``footprint`` needs that is not within the limits."""
        limits, sram, latency = self._limits, self._footprints.deployment.sram, self._footprints.longest(footprint)
        broken = []
        if footprint.sram > sram:
            broken.append(f"{format_size(footprint.sram)} SRAM (budget.sram is {format_size(sram)})")
        if footprint.flash > limits.flash:
            broken.append(f"{format_size(footprint.flash)} Flash (budget.flash is {format_size(limits.flash)})")
        if limits.latency is not None and latency > limits.latency:
            broken.append(f"{format_time(latency)} ({limits.key} allows {format_time(limits.latency)})")
        return broken

    def draw(self, rng: np.random.Generator) -> Arch:
        """A random network."""
        return self._within_limits(lambda: draw(self.family.draw(rng), rng), rng)

    def mutate(self, parent: Arch, rate: float, rng: np.random.Generator) -> Arch:
        """``parent`` with each choice (width, resolution, depths, kernels, expansions) redrawn with chance ``rate``."""
        return self._within_limits(lambda: _mutate(self.family.mutate(parent, rate, rng), rate, rng), rng)

    def cross(self, one: Arch, other: Arch, rng: np.random.Generator) -> Arch:
        """A child that has each choice (width, resolution, depths, kernels, expansions) from one of the two parents."""
        return self._within_limits(lambda: _cross(self.family.cross(one, other, rng), other, rng), rng)

    def _within_limits(self, propose: Callable[[], Arch], rng: np.random.Generator) -> Arch:
        """The first proposal that fits; if none of many does, the last one, made smaller at random until it fits."""
        for _ in range(_ATTEMPTS):
            arch = propose()
            if self.fits(arch):
                return arch
        while not self.fits(arch):
            variants = _smaller(arch) + self.family.smaller(arch)
            arch = variants[int(rng.integers(len(variants)))]
        return arch


def _mutate(parent: Arch, rate: float, rng: np.random.Generator) -> Arch:
    fresh = draw_genes(parent.space, rng)
    return from_genes(parent.space, _mix(fresh, to_genes(parent, fresh), rate, rng))


def _cross(one: Arch, other: Arch, rng: np.random.Generator) -> Arch:
    other = within(other, one.space)
    # What one parent lacks, the other may have.
    left = to_genes(one, to_genes(other, draw_genes(one.space, rng)))
    return from_genes(one.space, _mix(left, to_genes(other, left), 0.5, rng))


def _mix(one: Sequence[int], other: Sequence[int], rate: float, rng: np.random.Generator) -> list[int]:
    """Each gene of ``one`` with probability ``rate``, else of ``other``."""
    chosen = (rng.random(len(one)) < rate).tolist()
    return [a if first else b for a, b, first in zip(one, other, chosen, strict=True)]


def _smaller(arch: Arch) -> list[Arch]:
    """Every network with one choice one step smaller."""
    options = arch.space.options
    genes = to_genes(arch, [min(values) for values in options])
    variants = []
    for position, (values, gene) in enumerate(zip(options, genes, strict=True)):
        below = [value for value in values if value < gene]
        if below:
            variants.append(from_genes(arch.space, [*genes[:position], max(below), *genes[position + 1 :]]))
    return variants
