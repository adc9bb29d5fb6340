"""Estimates beside emulated networks."""

from pathlib import Path

import pytest
from msgspec import structs

from mcubuild.artifacts.margin import Estimate
from mcubuild.bench.latency import SPACES, Case, estimate, mixed, within_budget
from mcubuild.bench.workbench import Workbench, core, roomy
from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import estimate as footprint
from mcubuild.errors import BuildError
from mcubuild.nas.space.arch import Arch, Space, smallest
from mcubuild.nas.space.backbones import BACKBONES
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.report import estimates
from mcubuild.report.estimates import errors, lines, plot, searched
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.store import Store


@pytest.mark.parametrize("block", SPACES)
def test_half_of_the_networks_of_each_space_get_less_memory_than_their_fastest_plan_takes(block: str) -> None:
    spaces = SPACES[block]
    cases = mixed(Deployment(core("m7")), block, 2 * len(spaces))
    assert [case.arch.space for case in cases if isinstance(case.arch, Arch)] == [*spaces, *spaces]
    assert {space.block for space in spaces} == {block}
    assert cases == mixed(Deployment(core("m7")), block, 2 * len(spaces))
    for one, other in zip(cases[: len(spaces)], cases[len(spaces) :], strict=True):
        assert (one.arena is None) != (other.arena is None) and one.arch != other.arch


def test_every_kind_that_a_spec_may_name_is_measured() -> None:
    assert SPACES.keys() == BACKBONES.keys()


def test_networks_of_a_spec_keep_to_its_budget() -> None:
    board, space = read_board("stm32f412"), Space(0.4, square(32), 1, 10)
    tight = Deployment(board, budget=Budget(sram=20 << 10, flash=300 << 10, latency=0.03))
    for case in within_budget(space, tight, 0, 10):
        needs = footprint(case.shapes, case.target, tight.stack)
        assert needs.sram <= 20 << 10 and needs.flash <= 300 << 10 and needs.cycles <= 0.03 * board.clock
    with pytest.raises(BuildError, match=r"no network of the search space w0\.4-r32 fits"):
        within_budget(space, Deployment(board, budget=Budget(sram=4 << 10)), 0, 1)


def test_an_estimate_is_held_against_the_whole_firmware(tmp_path: Path) -> None:
    case = Case(smallest(Space(0.2, square(12), 1, 3)), Deployment(core("m4")))
    found = estimate(case, Workbench(Store(tmp_path), "code"))
    assert abs(found.error) < 0.1 and found.emulated > 100_000
    assert (found.core, found.board, found.space) == ("cortex-m4", "stm32f412", "w0.2-r12")
    assert not found.streams and found.conditions.endswith("; searched")
    kinds = {searched(block, series=series) for block in BACKBONES for series in (False, True)}
    assert len(kinds) == 2 * len(BACKBONES)


@pytest.mark.parametrize("block", list(BACKBONES))
@pytest.mark.parametrize("name", ["stm32f412", "stm32f746", "stm32f765", "stm32h743"])
def test_what_reports_quote_belongs_to_these_costs_and_boards(name: str, block: str) -> None:
    """After a change of a kernel or its costs, or of a board: ``doit bench latency=50``."""
    board, toolchain = read_board(name), estimates.read()[0].toolchain
    wanted = estimates.conditions(Deployment(board), toolchain, searched(block))
    rows = [row for row in estimates.holding(wanted) if row.board == name]
    assert len(rows) >= 20
    for case, row in list(zip(mixed(Deployment(roomy(board)), block, len(rows)), rows, strict=True))[::4]:
        told = footprint(skeleton(case.arch, 8), case.target, 0).cycles
        assert (row.space, row.arena, row.estimated) == (case.arch.name, case.arena, told)


def test_every_row_belongs_to_a_kind() -> None:
    kinds = {searched(block) for block in SPACES}
    assert {row.conditions.split("; ")[-1] for row in estimates.read()} == kinds


ONE = Estimate("cortex-m4", "stm32f412", "zig 0", "w0.5-r32", None, False, 1_040_000, 1e6, "")


def test_what_is_measured_anew_replaces_its_like_alone(tmp_path: Path) -> None:
    path, narrow = tmp_path / "estimates.jsonl", structs.replace(ONE, conditions="4-bit weights")
    estimates.write([ONE, narrow, structs.replace(narrow, space="w0.2-r12")], path)
    estimates.keep([fresh := structs.replace(narrow, emulated=2e6)], path)
    assert estimates.read(path) == [ONE, fresh]


def test_errors() -> None:
    other = structs.replace(ONE, estimated=900_000, streams=True, arena=4096)
    found = errors([ONE, other])
    assert found.networks == 2
    assert [found.mean, found.worst, found.rms] == pytest.approx([-0.03, -0.1, 0.0761577])
    text = list(lines([ONE, other]))
    assert [line.split()[-1] for line in text[2:5]] == ["1", "1", "0"]
    assert "Worst: one of w0.5-r32 on cortex-m4, streamed: 900,000 estimated, 1,000,000 emulated." in text
    picture = plot([ONE, other], (2e6, 0.01))
    assert [(dot.x, round(dot.y)) for dot in picture.dots] == [(1, 4), (1, -10), (2, 1)]
    assert picture.y.low < -10 < 10 < picture.y.high


def test_estimates_are_kept_in_lines(tmp_path: Path) -> None:
    rows = [ONE, structs.replace(ONE, arena=4096)]
    estimates.write(rows, tmp_path / "rows")
    assert estimates.read(tmp_path / "rows") == rows
    assert len((tmp_path / "rows").read_text().splitlines()) == 2
