"""What the engine's estimates of cycles are worth where a network is to be searched for.

Kernels' costs were fitted on a few boards, with one compiler and everything on. Elsewhere (other wait states, no cache,
another core, portable C alone) whole networks may take several times as long, though nearly the same multiple of it. So
ten networks of each kind that the search might find are built and emulated before it starts: a kind's estimates are
multiplied by the mean of what its networks took, and limits allow for the spread.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.3, one-sided tolerance intervals for a normal
distribution.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts.margin import Estimate, Margin
from mcubuild.bench.latency import Case, estimates
from mcubuild.bench.workbench import Workbench, compiler
from mcubuild.measure.cycles.model import cycle_model
from mcubuild.nas.space.arch import draw
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import baselines_for, blocks_for, spaces_for
from mcubuild.report.estimates import conditions, holding, reading, searched
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.outline import Outline
from mcubuild.spec.space import SpaceSettings

NETWORKS = 10
"""To build and run."""
_DEVIATIONS = 3.981
"""Standard deviations of 10 samples from their mean to a bound that holds, with 95 % confidence, for 99 % of all."""
_UNMEASURED = 0.1
"""A guess, where too few networks tell."""
_LONG = 50e6
"""Cycles, estimated, beyond which an emulation takes more time than it tells."""
_POOL = 216
"""Networks to take the ten from: of the many spaces that compete, two each."""


def find(
    outline: Outline,
    space: SpaceSettings,
    arch: str | None,
    deployment: Deployment,
    bench: Workbench,
    *,
    seed: int,
) -> Margin:
    """What earlier measurements say, where they hold for a kind that competes; otherwise what ten networks say now.

    Args:
        outline: of the data set: classes, channels and the largest resolution.
        space: the spaces that compete.
        arch: a published network that is to be scaled instead of a search; None: a search.
        deployment: where the network must run, with a limit of the latency.
        bench: builds and runs.
        seed: of the choice.

    Raises:
        BuildError: a firmware computes something else than the reference executor.
    """
    board, latency, series = deployment.board, deployment.budget.latency, outline.series
    kinds = (
        [reading(arch, series=series)]
        if arch
        else [searched(block, series=series) for block in blocks_for(outline, space)]
    )
    tool = compiler(deployment)
    known = [*chain(*(holding(conditions(deployment, tool, kind)) for kind in kinds))]
    if known:
        worst = max(one.emulated / one.estimated for one in known)
        return Margin(1.0, max(0, ceil(100 * (worst - 1))) / 100)
    if cycle_model(board.core) is None:
        told = (
            f"no latency can be promised: there is no cycle model of the {board.core}. Only a board that counts can "
            'judge it, [measure] runner = "gdb"; without one the build will fail'
        )
        return Margin(1.0, _UNMEASURED, told=told)
    footprints = Footprints(deployment)
    pools = _pools(outline, space, arch, footprints, seed)
    if not pools:
        return Margin(1.0, _UNMEASURED)  # the next stage tells that nothing fits
    assert latency is not None
    limit = latency * board.runs_at

    def run(networks: Sequence[Described]) -> list[Estimate]:
        return estimates([Case(one, deployment, seed + n) for n, one in enumerate(networks)], bench)

    found = {
        kind: _measured(pool, [footprints.of(one).cycles for one in pool], limit, run) for kind, pool in pools.items()
    }
    means = {kind: float(np.mean(_ratios(each))) for kind, each in found.items()}
    every = [*chain(*found.values())]
    too_low = max(
        _bound(each, arch is not None and len(each) == len(pools[kind])) / means[kind] - 1
        for kind, each in found.items()
    )
    low, high = min(one.error for one in every), max(one.error for one in every)
    factors = ", ".join(f"{kind} {scale:.2f}" if len(means) > 1 else f"{scale:.2f}" for kind, scale in means.items())
    told = (
        f"estimates of {len(every)} networks are {low:+.1%} ... {high:+.1%} off on this board; they are multiplied by "
        f"{factors}, and limits of the time allow for {too_low:.1%} more"
    )
    return Margin(float(np.mean(_ratios(every))), too_low, means, tuple(every), told)


def _measured(
    pool: Sequence[Described],
    cycles: Sequence[int],
    limit: float,
    run: Callable[[Sequence[Described]], list[Estimate]],
) -> list[Estimate]:
    """Ten networks of one kind, which take about as long as the slowest that are within the ``limit``."""
    (first,) = run([pool[_within(cycles, min(limit, _LONG)) // 2]])
    fast = _within(cycles, min(limit * first.estimated / first.emulated, _LONG))
    return run(_spread(pool[: max(fast, NETWORKS)]))


def _ratios(found: Sequence[Estimate]) -> NDArray[np.float64]:
    """Emulated cycles relative to the estimates."""
    return np.array([one.emulated / one.estimated for one in found])


def _bound(found: Sequence[Estimate], whole: bool) -> float:
    """How many times as long as estimated a network of this kind may take; ``whole``: ``found`` are all there are."""
    ratios = _ratios(found)
    if whole:
        return float(ratios.max())
    spread = _DEVIATIONS * float(ratios.std(ddof=1)) if len(found) == NETWORKS else _UNMEASURED * float(ratios.mean())
    return max(float(ratios.max()), float(ratios.mean()) + spread)


def _pools(
    outline: Outline, space: SpaceSettings, arch: str | None, footprints: Footprints, seed: int
) -> dict[str, list[Described]]:
    """Networks within the memories, the fastest first, by the kind of blocks; ``arch`` itself is one."""
    kinds: dict[str, list[Described]] = {}
    if arch is None:
        spaces, rng = spaces_for(outline, space), np.random.default_rng(seed)
        for block in dict.fromkeys(one.block for one in spaces):
            alike = [one for one in spaces if one.block == block]
            count = ceil(_POOL / len(alike))
            kinds[block] = [*dict.fromkeys(draw(one, rng) for one in alike for _ in range(count))]
    else:
        kinds[arch] = [*baselines_for(arch, outline, space)]
    flash = footprints.deployment.flash
    fitting = {kind: [one for one in networks if footprints.fits(one, flash)] for kind, networks in kinds.items()}
    return {
        kind: sorted(networks, key=lambda one: (footprints.of(one).cycles, one.name))
        for kind, networks in fitting.items()
        if networks
    }


def _within(cycles: Sequence[int], limit: float) -> int:
    """How many of ``cycles``, which ascend, are within ``limit``."""
    return int(np.searchsorted(cycles, limit, side="right"))


def _spread(networks: Sequence[Described]) -> list[Described]:
    """Ten of the slower half, which is where a search ends up, or of all if these are fewer."""
    half = networks[len(networks) // 2 :] if len(networks) >= 2 * NETWORKS else networks
    places = np.linspace(0, len(half) - 1, min(NETWORKS, len(half))).round().astype(int)
    return [half[place] for place in places]
