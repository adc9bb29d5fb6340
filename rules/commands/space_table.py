"""The search spaces of a spec, ranked: ``doit space spec=<file>`` shows them once they have been compared."""

from rules.command import Command
from rules.stage import BUILD, Resolved, searches
from rules.stages import space


def _show(resolved: Resolved) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.spaces import SPACE_TABLE, SpaceTable
    from mcubuild.report.figures import render
    from mcubuild.report.space import cdf_plot, limits, lines, nothing_fits, ranked

    name = resolved["spec"]["name"]
    folder = BUILD / name
    table = read_artifact(folder / SPACE_TABLE, SpaceTable)
    page = folder / "space.html"
    subtitle = " ".join(filter(None, [f"{table.axes}.", limits(table), nothing_fits(table)]))
    page.write_text(
        render(f"{name}: search spaces", subtitle, [cdf_plot(table.winner, table.spaces)], ranked(table)),
        encoding="utf-8",
    )
    print("", *lines(table), f"picture: {page}", sep="\n")


COMMAND = Command(
    name=space.STAGE.name,
    doc="the search spaces of {}, ranked",
    work=_show,
    needs=space.STAGE.outputs,
    serves=searches,
    follows=True,
)
