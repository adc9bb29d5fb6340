"""What the engine's estimates of cycles are worth where a network is to be searched for.

Kernels' costs were fitted on a few boards, with one compiler and everything on. Elsewhere (other wait states, no cache,
another core, portable C alone) whole networks may take several times as long, though nearly the same multiple of it. So
ten networks that the search might find are built and emulated before it starts: estimates are multiplied by the mean of
what they took, and limits allow for the spread.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.3, one-sided tolerance intervals for a normal
distribution.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from math import ceil
from typing import Any

import numpy as np

from mcubuild.bench.latency import Case, estimates
from mcubuild.bench.workbench import Workbench
from mcubuild.board import Board
from mcubuild.engine.footprint import arena_within
from mcubuild.measure.cycles.model import cycle_model
from mcubuild.nas.arch import draw
from mcubuild.nas.baselines import Baseline
from mcubuild.nas.blocks import Described
from mcubuild.nas.footprints import Footprints
from mcubuild.nas.space import sizes, spaces_for
from mcubuild.report.estimates import Estimate, holding, reading, searched
from mcubuild.spec.budget import Budget
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
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


@dataclass(frozen=True)
class Found:
    """What margin.json has."""

    scale: float
    """Emulated cycles relative to the engine's estimate: the mean."""
    too_low: float
    """By how much emulated cycles may exceed an estimate that is multiplied by ``scale``."""
    networks: tuple[Estimate, ...] = ()
    """Those that were run now."""
    told: str = ""
    """What the user should know before the search, without the full stop."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "networks": [asdict(one) for one in self.networks]}


def find(
    outline: Outline,
    space: SpaceSettings,
    arch: str | None,
    board: Board,
    engine: EngineSettings,
    firmware: FirmwareSettings,
    bench: Workbench,
    *,
    budget: Budget,
    bits: int,
    seed: int,
) -> Found:
    """What earlier measurements say, where they hold for a kind that competes; otherwise what ten networks say now.

    Args:
        outline: of the data set: classes, channels and the largest resolution.
        space: the spaces that compete.
        arch: a published network that is to be scaled instead of a search; None: a search.
        board: where the network must run.
        engine: the switches.
        firmware: compiler and flags.
        bench: builds and runs.
        budget: as ``read_spec`` resolved it, with a limit of the latency.
        bits: of the weights.
        seed: of the choice.

    Raises:
        BuildError: a firmware computes something else than the reference executor.
    """
    series = outline.series
    kinds = [reading(arch, series=series)] if arch else [searched(block, series=series) for block in space.blocks]
    known = [*chain(*(holding(bench.conditions(board, engine, bits, kind)) for kind in kinds))]
    if known:
        worst = max(one.emulated / one.estimated for one in known)
        return Found(1.0, max(0, ceil(100 * (worst - 1))) / 100)
    if cycle_model(board.core) is None:
        told = (
            f"no latency can be promised: there is no cycle model of the {board.core}. Only a board that counts can "
            'judge it, [measure] runner = "gdb"; without one the build will fail'
        )
        return Found(1.0, _UNMEASURED, told=told)
    sram = budget.sram or board.sram_bytes
    footprints = Footprints(board, engine, firmware.stack, bits, sram)
    pool = _pool(outline, space, arch, footprints, budget.flash or board.flash_bytes, seed)
    if not pool:
        return Found(1.0, _UNMEASURED)  # the next stage tells that nothing fits
    assert budget.latency is not None
    arena, limit = arena_within(sram, firmware.stack), budget.latency * board.runs_at

    def run(networks: Sequence[Described]) -> list[Estimate]:
        return estimates([Case(one, board, engine, bits, arena, seed + n) for n, one in enumerate(networks)], bench)

    cycles = [footprints.of(one).cycles for one in pool]
    (first,) = run([pool[_within(cycles, min(limit, _LONG)) // 2]])
    fast = _within(cycles, min(limit * first.estimated / first.emulated, _LONG))
    found = run(_spread(pool[: max(fast, NETWORKS)]))
    ratios = np.array([one.emulated / one.estimated for one in found])
    scale = float(ratios.mean())
    largest = float(ratios.max()) / scale - 1
    deviation = float(ratios.std(ddof=1)) / scale if len(found) > 1 else 0.0
    spread = _DEVIATIONS * deviation if len(found) == NETWORKS else _UNMEASURED
    too_low = largest if arch is not None and len(found) == len(pool) else max(largest, spread)
    low, high = min(one.error for one in found), max(one.error for one in found)
    told = (
        f"estimates of {len(found)} networks are {low:+.1%} ... {high:+.1%} off on {board.title}; they are multiplied "
        f"by {scale:.2f}, and limits of the time allow for {too_low:.1%} more"
    )
    return Found(scale, too_low, tuple(found), told)


def _pool(
    outline: Outline, space: SpaceSettings, arch: str | None, footprints: Footprints, flash: int, seed: int
) -> list[Described]:
    """Networks within the memories, the fastest first."""
    networks: list[Described]
    if arch is None:
        spaces, rng = spaces_for(outline, space), np.random.default_rng(seed)
        # One kind: ten networks are too few to tell how kinds differ.
        spaces = [one for one in spaces if one.block == spaces[0].block]
        count = ceil(_POOL / len(spaces))
        networks = list(dict.fromkeys(draw(one, rng) for one in spaces for _ in range(count)))
    else:
        networks = [
            Baseline(arch, *size, outline.channels, outline.classes, outline.series) for size in sizes(outline, space)
        ]
    fitting = [one for one in networks if footprints.fits(one, flash)]
    return sorted(fitting, key=lambda one: (footprints.of(one).cycles, one.name))


def _within(cycles: Sequence[int], limit: float) -> int:
    """How many of ``cycles``, which ascend, are within ``limit``."""
    return int(np.searchsorted(cycles, limit, side="right"))


def _spread(networks: Sequence[Described]) -> list[Described]:
    """Ten of the slower half, which is where a search ends up, or of all if these are fewer."""
    half = networks[len(networks) // 2 :] if len(networks) >= 2 * NETWORKS else networks
    places = np.linspace(0, len(half) - 1, min(NETWORKS, len(half))).round().astype(int)
    return [half[place] for place in places]
