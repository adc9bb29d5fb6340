"""What MCUNet's authors report: of search spaces, by the planner here (``doit paper figure=3`` and ``figure=12``), and
of networks, beside what specs gave here (``doit paper table=accuracy``).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.commands.bench import run
from rules.graph import read_specs, without_data
from rules.options import FIGURE, SAMPLES, TABLE
from rules.stage import BUILD

_SAMPLES = {"3": SAMPLES, "12": replace(SAMPLES, default="200")}
"""Networks a space, by figure: as in the paper; and fewer where they are judged under 15 limits."""
_SEED = 0


def _draw() -> None:
    from mcubuild.bench import paper
    from mcubuild.report.figures import render

    figure = FIGURE.chosen or ""
    samples = _SAMPLES[figure].number
    if figure == "3":
        ten = paper.figure_3(paper.paper_spaces(), samples, _SEED)
        title = "Ten search spaces: MACs of the networks that fit (MCUNet, figure 3)"
        lines, plots, table = paper.lines_3(ten), paper.plots_3(ten), paper.table_3(ten)
    else:
        best = paper.figure_12(paper.paper_spaces(), samples, _SEED)
        title = "The best search space by SRAM and Flash (MCUNet, figure 12)"
        lines, plots, table = paper.lines_12(best), paper.plots_12(best), []
    page = BUILD / "paper" / f"figure{figure}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    subtitle = f"{samples} networks of each of 108 spaces, by memory alone. {' '.join(paper.ASSUMED)}"
    page.write_text(render(title, subtitle, plots, table), encoding="utf-8")
    print("", *lines, f"picture: {page}", sep="\n")


def _compare() -> None:
    from mcubuild.bench.published import lines, specs
    from mcubuild.report.diff import read
    from mcubuild.report.model import Report

    files = {name: Path("specs") / f"{name}.toml" for name in specs()}
    valid, broken = read_specs([path for path in files.values() if path.is_file()], set())
    reasons = dict.fromkeys(without_data(valid), "not built here: data missing")
    reasons |= {name: "not built here: no such spec" for name, path in files.items() if not path.is_file()}
    reasons |= dict.fromkeys(broken, "not built here: the spec is not valid")
    made = [name for name in files if (BUILD / name / "report.json").is_file()]
    builds = {name: Report.model_validate(read(name, BUILD, Path())) for name in made}
    print("", *lines(builds, reasons), sep="\n")


def tasks() -> Iterator[dict[str, Any]]:
    """The doit tasks."""
    table, figure = TABLE.given, FIGURE.given
    name = f"figure{figure}" if table is None else f"table_{table}"
    doc = "MCUNet's figures of search spaces, and of networks: figure=3|12 [samples=N] or table=accuracy"
    yield {"basename": "paper", "name": None, "doc": doc}
    yield {
        "basename": "paper",
        "name": name,
        "doc": "what MCUNet's authors report, and what comes out here",
        "actions": [(run, [f"paper:{name}", _draw if table is None else _compare])],
        "uptodate": [False],
        "verbosity": 2,
    }
