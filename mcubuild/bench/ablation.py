"""Optimisations switched on one after another: what each does to cycles and SRAM."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcubuild.artifacts import read_artifact
from mcubuild.bench.workbench import Figures, Workbench, roomy
from mcubuild.board import Board
from mcubuild.ir.graph import Graph
from mcubuild.report.plot import Axis, Box, Plot, linear
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.units import format_size

FIRST = "generated C, im2col layer by layer"
SWITCHES: Mapping[str, str] = {
    "model_im2col": "im2col planned for the whole model",
    "fusion": "padding, bias and limits fused",
    "unrolling": "loops unrolled",
    "tiling": "several pixels and filters at a time",
    "inplace_depthwise": "depthwise in place",
    "inplace_add": "additions in place",
    "overlap": "output over consumed input",
    "fused_blocks": "fused blocks, row by row",
    "assembly": "inner loops in assembly",
}
"""In the order in which they are switched on, and what each is called."""
LAST = "as the spec says"


@dataclass(frozen=True)
class Rung:
    """A set of switches and what it gave."""

    title: str
    figures: Figures


def steps() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Titles and [engine]: one switch more each time, the smallest plan; at last nothing that the spec does not say."""
    on = dict.fromkeys(SWITCHES, False)
    for switch, title in (("", FIRST), *((switch, f"+ {title}") for switch, title in SWITCHES.items())):
        on |= {switch: True} if switch else {}
        yield title, EngineSettings.model_validate({"plan": "smallest", **on}).model_dump(mode="json")
    yield LAST, {}


def rung(graph: Graph, deployment: Deployment, tuned: Mapping[str, str] | None, bench: Workbench) -> Figures:
    """Build and run ``graph`` with the engine of ``deployment``.

    Args:
        graph: a network with values.
        deployment: what does not fit its board runs on one with more memory.
        tuned: kernels by their layer's output, if the engine is to tune.
        bench: where to build and run.

    Raises:
        BuildError: the firmware's outputs are not the reference executor's.
    """
    limits = Budget(sram=deployment.sram)
    return bench.figures(graph, replace(deployment, board=roomy(deployment.board), budget=limits), tuned)


def read_rungs(paths: Iterable[Path]) -> list[Rung]:
    """The figures in these files, which ``steps`` gave."""
    figures = (read_artifact(path, Figures) for path in paths)
    return [Rung(title, found) for (title, _), found in zip(steps(), figures, strict=True)]


def lines(rungs: Sequence[Rung], board: Board) -> Iterator[str]:
    """A table."""
    width = max(len(rung.title) for rung in rungs)
    yield f"   {'smallest plan, but for the last line':{width}}{'cycles':>14}{'speed-up':>10}{'SRAM':>12}{'Flash':>12}"
    for number, rung in enumerate(rungs):
        cells = _cells(rung, rungs[0], board)
        yield f"{number:2} {rung.title:{width}}{cells[0]:>14}{cells[1]:>10}{cells[2]:>12}{cells[3]:>12}"
    if any(rung.figures.sram > board.sram_bytes for rung in rungs):
        yield f"* more than the {format_size(board.sram_bytes)} of {board.title}"


def table(rungs: Sequence[Rung], board: Board) -> list[list[str]]:
    """The same for a page: a row of titles, then a row a rung."""
    titles = ["", "smallest plan, but for the last line", "cycles", "speed-up", "SRAM", "Flash"]
    rows = [[str(number), rung.title, *_cells(rung, rungs[0], board)] for number, rung in enumerate(rungs)]
    return [titles, *rows]


def _cells(rung: Rung, first: Rung, board: Board) -> list[str]:
    figures = rung.figures
    beyond = "*" if figures.sram > board.sram_bytes else ""
    return [
        f"{figures.cycles:,.0f}",
        f"{first.figures.cycles / figures.cycles:.2f}x",
        beyond + format_size(figures.sram),
        format_size(figures.flash),
    ]


def plots(rungs: Sequence[Rung]) -> list[Plot]:
    """Cycles and SRAM, a bar a rung."""
    return [
        _bars("Cycles of an inference", "million cycles of an inference", "cycles", rungs, lambda f: f.cycles / 1e6),
        _bars("Peak SRAM", "peak SRAM, kB", "code", rungs, lambda f: f.sram / 1024),
    ]


def _bars(name: str, title: str, style: str, rungs: Sequence[Rung], value: Callable[[Figures], float]) -> Plot:
    values = [value(rung.figures) for rung in rungs]
    ticks = tuple((float(number), str(number)) for number in range(len(rungs)))
    return Plot(
        name=name,
        x=Axis(-0.6, len(rungs) - 0.4, "line of the table", ticks),
        y=linear(values, title, "{:g}".format, zero=True),
        boxes=[
            Box((number - 0.35, number + 0.35), (0, height), style, f"{rung.title}: {height:.3g}")
            for number, (rung, height) in enumerate(zip(rungs, values, strict=True))
        ],
    )
