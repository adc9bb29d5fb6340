"""The ablation: every switch, in order."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from mcubuild.bench.ablation import FIRST, LAST, SWITCHES, Rung, climb, lines, plots, table
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
        self.asked: list[tuple[EngineSettings, int, Mapping[str, str] | None]] = []

    def figures(self, graph: Graph, deployment: Deployment, tuned: Mapping[str, str] | None = None) -> Figures:
        self.asked.append((deployment.engine, deployment.sram, tuned))
        return figures(1e6 / len(self.asked))


def test_one_switch_more_each_time() -> None:
    sketch = Sketch((1, 4, 4, 2))
    sketch.conv("input", 2)
    recorder, own, tuned = Recorder(), EngineSettings(tiling=False, tune=True), {"t0": "conv2d"}
    rungs = climb(sketch.graph(), Deployment(BOARD, own, budget=Budget(sram=12345)), tuned, cast(Workbench, recorder))
    on = [{name for name in SWITCHES if getattr(settings, name)} for settings, *_ in recorder.asked[:-1]]
    assert on == [set(list(SWITCHES)[:count]) for count in range(len(SWITCHES) + 1)]
    assert set(SWITCHES) == {name for name, field in EngineSettings.model_fields.items() if field.default is True}
    assert all(settings.plan == "smallest" and not kernels for settings, _, kernels in recorder.asked[:-1])
    assert recorder.asked[-1] == (own, 12345, tuned)
    assert [rungs[0].title, rungs[-1].title] == [FIRST, LAST]


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
