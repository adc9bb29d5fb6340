"""What MCUNet's authors found of search spaces, by the planner here: ``doit paper figure=3`` and ``figure=12``."""

from collections.abc import Iterator
from typing import Any

from doit import get_var

from mcubuild.errors import BuildError
from rules.arguments import whole_number
from rules.bench import run
from rules.stage import BUILD

_SAMPLES = {"3": 1000, "12": 200}
"""Networks a space, by figure: as in the paper; and fewer where they are judged under 15 limits."""
_SEED = 0


def _samples(figure: str) -> int:
    """Networks a space.

    Raises:
        BuildError: there is no such figure, or samples= is no number above 9.
    """
    if figure not in _SAMPLES:
        raise BuildError(f"figure={figure}: there is no such figure here; write figure=3 or figure=12.")
    return whole_number("samples", _SAMPLES[figure], 10)


def _draw(figure: str) -> None:
    from mcubuild.bench import paper
    from mcubuild.report.figures import render

    samples = _samples(figure)
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


def tasks() -> Iterator[dict[str, Any]]:
    """The doit tasks."""
    figure = get_var("figure", "3")
    yield {"basename": "paper", "name": None, "doc": "MCUNet's figures of search spaces: figure=3|12 [samples=N]"}
    yield {
        "basename": "paper",
        "name": f"figure{figure}",
        "doc": f"figure {figure} of MCUNet by the planner here",
        "actions": [(run, [f"paper:figure{figure}", lambda: _draw(figure)])],
        "uptodate": [False],
        "verbosity": 2,
    }
