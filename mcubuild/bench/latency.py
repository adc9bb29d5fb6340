"""How far the engine's estimates of cycles are off, over random networks that are built and run whole.

As in the search, shapes alone are estimated; the firmware has random weights and scales. So what scales decide (which
kernels compute exactly, shifts) and what costs do not see (alignment, caches beyond those of the boards that the costs
were fitted on) are part of the error.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mcubuild.artifacts.margin import NO_MARGIN, Estimate, Margin
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import Workbench, compiler
from mcubuild.engine.memory.footprint import STATIC_BYTES, target_of, with_arena
from mcubuild.engine.memory.footprint import estimate as footprint
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.ir.widths import weight_bits
from mcubuild.nas.space.arch import Arch, Space, draw, stages_for
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.skeleton import LayerBits, skeleton
from mcubuild.processes import processes
from mcubuild.progress import bar
from mcubuild.report.estimates import conditions, reading, searched
from mcubuild.resolution import square
from mcubuild.spec.bits import WIDTHS
from mcubuild.spec.deployment import Deployment


def _small(block: str, *sizes: tuple[float, int, int]) -> tuple[Space, ...]:
    """Spaces for small images, of as many stages as those have: by width, pixels and channels."""
    return tuple(
        Space(width, square(side), channels, 10, stages_for(square(side), block), block)
        for width, side, channels in sizes
    )


SPACES: Mapping[str, tuple[Space, ...]] = {
    "mobile": (
        Space(0.3, square(64), 3, 10),
        Space(0.5, square(48), 3, 10),
        Space(0.2, square(80), 3, 2),
        Space(0.5, square(16), 1, 10),
        Space(0.7, square(28), 1, 12),
        Space(0.4, square(96), 3, 100),
        Space(1.0, square(32), 3, 10),
        Space(0.35, square(112), 3, 2),
    ),
    "plain": _small(
        "plain", (0.3, 32, 3), (1.0, 16, 1), (0.2, 48, 3), (0.4, 28, 1), (0.5, 24, 3), (0.5, 16, 1), (0.2, 32, 3)
    ),
    "residual": _small(
        "residual", (0.2, 32, 3), (0.5, 16, 1), (0.2, 48, 3), (0.2, 28, 1), (0.3, 24, 3), (0.7, 16, 1), (0.3, 32, 3)
    ),
}
"""By kind: from digits and spectrograms to photographs, as small as boards with little memory want them."""
_SEED = 0
_TIGHT = 0.6
"""Share of the arena that its fastest plan takes which every second network is allowed: then layers stream."""


@dataclass(frozen=True)
class Case:
    """A network to estimate and to run."""

    arch: Described
    deployment: Deployment
    """Without a budget of RAM: the arena may take any number of bytes. With mixed bits, each layer's are random."""
    seed: int = 0
    """Of the weights, which take the same time whatever they are."""

    @property
    def target(self) -> Target:
        """What it is planned for."""
        return target_of(self.deployment)

    @property
    def arena(self) -> int | None:
        """Bytes that the arena should not exceed; None: any number."""
        sram = self.deployment.budget.sram
        return None if sram is None else max(0, sram - STATIC_BYTES - self.deployment.stack)

    @property
    def shapes(self) -> Graph:
        """The skeleton of the network."""
        bits: LayerBits | Literal["mixed"] = self.deployment.bits
        if bits == "mixed":
            rng, names = np.random.default_rng(self.seed), weight_bits(skeleton(self.arch, WIDTHS[0]))
            bits = {name: int(rng.choice(WIDTHS)) for name in names}
        return skeleton(self.arch, bits, self.deployment.activations, self.deployment.ends)


def mixed(deployment: Deployment, block: str, count: int) -> list[Case]:
    """``count`` networks of SPACES in turn; of each space, every second one in an arena that makes layers stream.

    Args:
        deployment: on a board with room for all of them (``workbench.roomy``).
        block: their kind, a key of SPACES.
        count: of networks.
    """
    rng, cases, spaces = np.random.default_rng(_SEED), [], SPACES[block]
    for index in range(count):
        turn, number = divmod(index, len(spaces))
        case = Case(draw(spaces[number], rng), deployment, _SEED + index)
        if (turn + number) % 2:
            arena = int(_TIGHT * footprint(skeleton(case.arch, 8, deployment.activations), case.target, 0).arena)
            case = replace(case, deployment=with_arena(deployment, arena))
        cases.append(case)
    return cases


def within_budget(
    space: Space, deployment: Deployment, seed: int, count: int, margin: Margin = NO_MARGIN
) -> list[Case]:
    """``count`` random networks of ``space`` within the budget of a spec, planned as its build plans them.

    Kernels are not tuned, whatever the spec says.

    Raises:
        BuildError: no network of the space fits.
    """
    candidates = Candidates(space, Footprints(deployment, margin), Limits.of(deployment))
    rng = np.random.default_rng(seed)
    return [Case(candidates.draw(rng), deployment, seed + index) for index in range(count)]


def estimates(cases: Sequence[Case], bench: Workbench) -> list[Estimate]:
    """Every network estimated, built, run and checked against the reference executor, on every core of this machine.

    Raises:
        BuildError: a firmware does not fit or computes something else, or the board's core has no cycle model.
    """
    with bar("latency", len(cases)) as progress, processes(alone=len(cases) == 1) as executor:
        running = {executor.submit(estimate, case, bench): case for case in cases}
        for done in as_completed(running):
            progress.advance(network=running[done].arch.name, error=f"{100 * done.result().error:+.1f} %")
        return [done.result() for done in running]


def estimate(case: Case, bench: Workbench) -> Estimate:
    """One network; errors as for ``estimates``."""
    deployment = case.deployment
    shapes = case.shapes
    graph = with_random_values(shapes, case.seed)
    figures = bench.figures(graph, deployment)
    return Estimate(
        core=deployment.board.core,
        board=deployment.board.name,
        toolchain=compiler(deployment),
        space=case.arch.name,
        arena=case.arena,
        streams=bool(plan(shapes, case.target).chains),
        estimated=footprint(shapes, case.target, 0).cycles,
        emulated=figures.cycles,
        conditions=conditions(deployment, compiler(deployment), _family(case.arch)),
    )


def _family(arch: Described) -> str:
    """What stands for ``arch`` in ``report.estimates.conditions``."""
    if isinstance(arch, Baseline):
        return reading(arch.baseline, series=arch.series)
    assert isinstance(arch, Arch)
    return searched(arch.space.block, series=arch.space.series)
