"""What estimates are worth where nobody has measured them before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.artifacts.margin import Estimate, Margin
from mcubuild.bench import margin as module
from mcubuild.bench.latency import Case, estimate
from mcubuild.bench.margin import NETWORKS, find
from mcubuild.bench.workbench import Workbench
from mcubuild.board import Board, Cache, read_board
from mcubuild.nas.space.arch import Arch, Space, draw
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.footprints import Footprints
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.outline import Outline
from mcubuild.spec.space import SpaceSettings
from mcubuild.store import Store

OUTLINE = Outline("image_classification", 3, 1, 16)
SPACES = SpaceSettings(widths=(0.2, 0.3), resolutions=(square(8), square(12), square(16)))
F412 = read_board("stm32f412")
BUDGET = Budget(sram=64 << 10, flash=512 << 10, latency=0.05)


def slow_flash(board: Board = F412, waits: int = 5) -> Board:
    """``board`` without cache."""
    flash = board.memory[0].model_copy(update={"wait_states": waits})
    return board.model_copy(update={"cache": Cache(), "memory": (flash, *board.memory[1:])})


def found(board: Board, folder: Path, **changes: Any) -> Margin:
    arch, deployment = changes.pop("arch", None), Deployment(board, **{"budget": BUDGET, **changes})
    return find(OUTLINE, SPACES, arch, deployment, Workbench(Store(folder), "code"), seed=0)


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Pretends to emulate: networks take four to five times what is estimated. Says which were asked for."""
    asked: list[Case] = []

    def run(cases: Sequence[Case], bench: Workbench) -> list[Estimate]:
        asked.extend(cases)
        rows = []
        for case in cases:
            cycles = Footprints(case.deployment).of(case.arch).cycles
            factor = 4 + np.random.default_rng(cycles).random()
            rows.append(Estimate("", "", "", case.arch.name, None, False, cycles, factor * cycles, ""))
        return rows

    monkeypatch.setattr(module, "estimates", run)
    return asked


@pytest.mark.parametrize(("name", "worst"), [("stm32f412", 0.06), ("stm32f746", 0.04)])
def test_nothing_is_run_where_it_was_before(name: str, worst: float, tmp_path: Path, emulated: list[Case]) -> None:
    assert found(read_board(name), tmp_path) == Margin(1.0, worst)
    assert not emulated


@pytest.mark.parametrize(
    "changes",
    [
        {"board": slow_flash()},
        {"engine": EngineSettings(assembly=False)},
        {"engine": EngineSettings(input="stream")},
        {"bits": 4},
        {"arch": "ds_cnn"},
    ],
)
def test_ten_networks_are_run_where_nobody_has(changes: dict[str, Any], tmp_path: Path, emulated: list[Case]) -> None:
    margin = found(changes.pop("board", F412), tmp_path, **changes)
    kinds = ["ds_cnn"] if "arch" in changes else [*SPACES.blocks]
    assert sorted(margin.kinds) == sorted(kinds) and all(4 < scale < 5 for scale in margin.kinds.values())
    assert len(margin.networks) <= NETWORKS * len(kinds)
    assert len({case.arch.name for case in emulated[1:]}) > 1
    lowest = min(margin.kinds.values())
    for one in margin.networks:
        assert one.emulated <= one.estimated * max(margin.kinds.values()) * (1 + margin.too_low) * (1 + 1e-9)
    assert "% ... -7" in margin.told and f"{lowest:.2f}" in margin.told


def test_each_kind_of_blocks_has_a_factor_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = {"mobile": 2.0, "plain": 3.0, "residual": 4.0}

    def run(cases: Sequence[Case], bench: Workbench) -> list[Estimate]:
        rows = []
        for case in cases:
            assert isinstance(case.arch, Arch)
            cycles = Footprints(case.deployment).of(case.arch).cycles
            emulated = factors[case.arch.space.block] * cycles
            rows.append(Estimate("", "", "", case.arch.name, None, False, cycles, emulated, ""))
        return rows

    monkeypatch.setattr(module, "estimates", run)
    margin = found(slow_flash(), tmp_path)
    assert margin.kinds == pytest.approx(factors) and margin.too_low == pytest.approx(0, abs=1e-9)
    footprints = Footprints(Deployment(slow_flash(), budget=BUDGET), Margin(margin.scale, 0, margin.kinds))
    plain = Footprints(Deployment(slow_flash(), budget=BUDGET))
    for block, factor in factors.items():
        arch = draw(Space(0.3, square(16), 1, 3, 2, block=block), np.random.default_rng(0))
        assert footprints.of(arch).cycles == pytest.approx(factor * plain.of(arch).cycles, rel=1e-6)


def test_the_ten_are_as_fast_as_those_that_are_searched_for(tmp_path: Path, emulated: list[Case]) -> None:
    """Not what the engine's estimate promises: what is left once that is multiplied."""
    budget = BUDGET.model_copy(update={"latency": 0.02})
    margin = found(slow_flash(), tmp_path, budget=budget)
    first = margin.networks[0]
    fast = [one.estimated * first.emulated / first.estimated < 1.3 * 0.02 * F412.clock for one in margin.networks]
    assert sum(fast) >= 2 * NETWORKS  # of a kind with few fast ones, ten are run in any case


def test_a_core_without_a_cycle_model_promises_nothing(tmp_path: Path, emulated: list[Case]) -> None:
    margin = found(F412.model_copy(update={"core": "cortex-m33"}), tmp_path)
    assert "no latency can be promised: there is no cycle model of the cortex-m33" in margin.told and not emulated


@pytest.mark.slow
@pytest.mark.parametrize("engine", [EngineSettings(), EngineSettings(assembly=False, fused_blocks=False)])
def test_networks_keep_their_latency_on_a_board_without_cache(engine: EngineSettings, tmp_path: Path) -> None:
    board = slow_flash()
    margin = found(board, tmp_path, engine=engine)
    assert margin.scale > 3 and margin.too_low < 0.3
    deployment = Deployment(board, engine, budget=BUDGET)
    footprints = Footprints(deployment, Margin(margin.scale, margin.too_low, margin.kinds))
    limits, rng = Limits.of(deployment), np.random.default_rng(1)
    bench = Workbench(Store(tmp_path), "code")
    tried = 0
    while tried < 5:
        arch = draw(Space(0.3, square(16), 1, 3, 3), rng)
        longest = footprints.longest(footprints.of(arch))
        if not footprints.fits(arch, limits.flash, limits.latency) or longest < 0.02:
            continue
        row = estimate(Case(arch, deployment), bench)
        assert row.emulated / board.runs_at <= longest <= 0.05
        assert row.emulated > 2.5 * row.estimated, "the engine's own estimate breaks the limit"
        tried += 1
