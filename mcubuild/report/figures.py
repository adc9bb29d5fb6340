"""A page of charts and a table, one file without anything from elsewhere."""

from collections.abc import Sequence

from mcubuild.report.environment import environment
from mcubuild.report.plot import Plot


def render(
    title: str,
    subtitle: str,
    plots: Sequence[Plot],
    table: Sequence[Sequence[str]] = (),
    text: Sequence[str] = (),
    links: Sequence[str] = (),
    sorted_by: Sequence[Sequence[float | None]] = (),
) -> str:
    """The page.

    Args:
        title: its heading.
        subtitle: a line below that.
        plots: the charts.
        table: a row of titles, and others.
        text: paragraphs above the charts.
        links: where the first cell of each row but the titles leads, if anywhere.
        sorted_by: of each row but the titles, the values of its cells that are figures; with them a reader can sort the
            table by each column.
    """
    return (
        environment()
        .get_template("figures.html.j2")
        .render(title=title, subtitle=subtitle, plots=plots, table=table, text=text, links=links, sorted_by=sorted_by)
    )
