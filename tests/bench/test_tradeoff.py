"""Plans between the fastest and the smallest."""

from mcubuild.bench.tradeoff import POINTS, limits, lines, plot
from mcubuild.bench.workbench import core
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.report.figures import render
from mcubuild.resolution import square
from mcubuild.spec.engine import EngineSettings
from tests.bench.figures import figures


def test_limits_lead_from_the_fastest_plan_to_the_smallest() -> None:
    graph, board = skeleton(Baseline("mobilenet_v2", 0.35, square(48), 3, 1000), 8), core("m7")
    found = limits(graph, board)
    assert found[0] is None and 2 < len(found) <= POINTS
    arenas = [plan(graph, Target.of(board, EngineSettings(), limit)).arena for limit in found]
    assert arenas == sorted(set(arenas), reverse=True)
    assert arenas[1:] == found[1:]
    assert arenas[-1] == plan(graph, Target.of(board, EngineSettings(plan="smallest"))).arena


def test_text_and_picture() -> None:
    found = {"m4": [figures(2e6), figures(3e6, arena=10240)], "m7": [figures(1e6)]}
    text = list(lines("net", found))
    assert [line.split() for line in text[1:]] == [
        ["M4", "20.0", "kB", "2.000"],
        ["M4", "10.0", "kB", "3.000"],
        ["M7", "20.0", "kB", "1.000"],
    ]
    page = render("net", "", [plot("net", found)])
    assert page.count('<circle class="dot') == 3 and "10.0 kB, 3.000 cycles a MAC" in page
