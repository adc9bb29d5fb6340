"""The list of figures: what it holds, and that whatever shows a report shows it."""

import io
import re
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.report import diff, markdown, report, terminal
from mcubuild.report.amounts import amount_of, in_lines, spread, with_spread
from mcubuild.report.key_figures import key_figures
from mcubuild.report.model import Author, Report
from mcubuild.spec.budget import Budget
from mcubuild.spec.report import ReportSettings
from tests.report.invented_build import edit, write_build, write_remote


@pytest.fixture
def build(tmp_path: Path) -> Path:
    write_build(tmp_path)
    return tmp_path


def made(build: Path) -> tuple[Report, str]:
    """The report and its page."""
    files = {str(path.relative_to(build)): path for path in build.rglob("*") if path.is_file()}
    report.write(
        files,
        name="invented",
        board=read_board("stm32f412"),
        budget=Budget(sram=128 << 10, flash=512 << 10),
        settings=ReportSettings(),
        conditions="",
        provenance={},
        out=build,
    )
    return Report.model_validate_json((build / "report.json").read_text()), (build / "report.html").read_text()


def test_figures_are_those_of_the_parts(build: Path) -> None:
    found, _ = made(build)
    figures = {one.key: one for one in found.figures}
    assert len(figures) == len(found.figures)
    assert found.figures == key_figures(found)
    assert found.cycles is not None
    assert {key: figures[key].value for key in ("sram", "flash", "latency.emulated", "cycles.emulated", "energy")} == {
        "sram": found.sram_bytes,
        "flash": found.flash_bytes,
        "latency.emulated": found.latency_ms,
        "cycles.emulated": found.cycles.mean,
        "energy": found.energy_mj,
    }
    for whole in ("sram", "flash"):
        parts = [one.value or 0 for key, one in figures.items() if key.startswith(f"{whole}.")]
        assert len(parts) == 3 and sum(parts) == figures[whole].value
    assert figures["accuracy.device"].value == found.accuracy.device
    assert figures["accuracy.device"].interval == found.accuracy.interval
    assert all(one.better == "more" for one in found.figures if one.title == "Accuracy")


def test_everything_shows_the_same_figures(build: Path) -> None:
    write_remote(build)
    found, html = made(build)
    dumped = found.model_dump(mode="json", by_alias=True)
    out = io.StringIO()
    terminal.summarise(dumped, build, out, drawn=False)
    text, brief = out.getvalue(), markdown.render(found)
    keys = [one["key"] for _, members in in_lines(dumped["figures"]) for one in members]
    assert {"accuracy.float", "latency.measured", "latency.emulated", "cycles.estimated", "energy"} <= {*keys}
    for one in dumped["figures"]:
        if one["key"] in keys:
            assert with_spread(one) in text and f"| {one['title']} |" in brief
    tiles = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd>", html)
    assert [title for title, _ in tiles] == [one.title for one in found.figures if one.level == "tile"]
    assert ("Latency", amount_of(dumped["figures"][keys.index("latency.measured")])) in tiles


def test_a_measured_latency_takes_the_place_of_the_emulated_one(build: Path) -> None:
    write_remote(build)
    levels = {one.key: one.level for one in made(build)[0].figures}
    assert (levels["latency.measured"], levels["latency.emulated"]) == ("tile", "line")


def test_what_is_not_known(build: Path) -> None:
    unknown = {"cycles": None, "latency_ms": None, "zero_wait_cycles": None, "uncertainty": None}
    edit(build, "measure.json", **unknown, cycle_model="no cycle model of this core")
    found, html = made(build)
    figures = {one.key: one.model_dump() for one in found.figures}
    assert amount_of(figures["latency.emulated"]) == "unknown" and spread(figures["latency.emulated"]) == ""
    assert "cycles.emulated" not in figures and "cycles.estimated" not in figures
    assert "<dd>unknown</dd><dd>emulated: no cycle model of this core</dd>" in html
    assert "Latency" not in [title for title, _ in in_lines(figures.values())]


@pytest.mark.parametrize(("tolerance", "told"), [(0, "equal to"), (1, "within 1 step of"), (2, "within 2 steps of")])
def test_what_the_author_computed(build: Path, tolerance: int, told: str) -> None:
    found, _ = made(build)
    author = Author(samples=8, differ=3, beyond=1, largest=2, tolerance=tolerance)
    (one,) = [one for one in key_figures(found.model_copy(update={"author": author})) if one.key == "outputs.author"]
    assert (one.value, one.of, one.method) == (7, 8, f"{told} [model] outputs")
    assert one.note == "3 differ, by 2 steps at most"


def test_a_figure_that_only_one_side_has_is_compared_with_nothing(build: Path) -> None:
    a, _ = made(build)
    write_remote(build)
    b, _ = made(build)
    sides = [one.model_dump(mode="json", by_alias=True) for one in (a, b)]
    changes = {change.what: change for change in diff.compare(*sides)}
    assert changes["Cycles, measured"].before == diff.NOTHING
    assert changes["Cycles, measured"].better is None
