"""The ablation: every switch, in order."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from mcubuild.artifacts import write_artifact
from mcubuild.bench.ablation import FIRST, LAST, SWITCHES, Rung, lines, plots, read_rungs, rung, steps, table
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.workbench import Figures, Workbench
from mcubuild.board import read_board
from mcubuild.ir.graph import Graph
from mcubuild.report.figures import render
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from tests.bench.figures import figures

BOARD = read_board("stm32f412")


class Recorder:
    """Stands for a workbench."""

    def __init__(self) -> None:
        self.asked: list[tuple[Deployment, Mapping[str, str] | None]] = []

    def figures(self, graph: Graph, deployment: Deployment, tuned: Mapping[str, str] | None = None) -> Figures:
        self.asked.append((deployment, tuned))
        return figures(1e6)


def test_one_switch_more_each_time() -> None:
    *switched, (last, own) = steps()
    on = [{name for name in SWITCHES if engine[name]} for _, engine in switched]
    assert on == [set(list(SWITCHES)[:count]) for count in range(len(SWITCHES) + 1)]
    assert set(SWITCHES) == {name for name, field in EngineSettings.model_fields.items() if field.default is True}
    assert all(engine["plan"] == "smallest" and not engine["tune"] for _, engine in switched)
    assert (switched[0][0], last, own) == (FIRST, LAST, {})


def test_a_rung_is_run_where_there_is_room_for_it() -> None:
    sketch = Sketch((1, 4, 4, 2))
    sketch.conv("input", 2)
    recorder, own, tuned = Recorder(), EngineSettings(tiling=False, tune=True), {"t0": "conv2d"}
    deployment = Deployment(BOARD, own, budget=Budget(sram=12345, flash=99))
    rung(sketch.graph(), deployment, tuned, cast(Workbench, recorder))
    ((asked, kernels),) = recorder.asked
    assert (asked.engine, asked.sram, kernels) == (own, 12345, tuned)
    assert asked.flash == asked.board.flash_bytes > BOARD.flash_bytes


def test_rungs_are_read_in_order(tmp_path: Path) -> None:
    titles = [title for title, _ in steps()]
    paths = [tmp_path / f"{number}.json" for number in range(len(titles))]
    for number, path in enumerate(paths):
        write_artifact(figures(1e6 / (1 + number)), path)
    found = read_rungs(paths)
    assert [one.title for one in found] == titles and found[3].figures == figures(1e6 / 4)


def test_what_the_board_does_not_hold_is_marked() -> None:
    rungs = [Rung("large", figures(2e6, arena=BOARD.sram_bytes)), Rung("small", figures(1e6))]
    text = list(lines(rungs, BOARD))
    assert "*256.3 kB" in text[1] and "2.00x" in text[2] and "*" not in text[2]
    assert text[3] == "* more than the 256.0 kB of STM32F412xG"
    assert [row[3] for row in table(rungs, BOARD)[1:]] == ["1.00x", "2.00x"]


@pytest.mark.parametrize("count", [1, 11])
def test_the_page_has_a_bar_a_rung(tmp_path: Path, count: int) -> None:
    rungs = [Rung(f"rung <{number}>", figures(1e6 / (1 + number))) for number in range(count)]
    page = render("title", "subtitle", plots(rungs), table(rungs, BOARD))
    assert page.count('<rect class="box cycles"') == page.count('<rect class="box code"') == count
    assert "rung &lt;0&gt;" in page and "<td>1,100,000</td>" in page
