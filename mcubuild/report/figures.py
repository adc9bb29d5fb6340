"""A page of charts and a table, one file without anything from elsewhere."""

from collections.abc import Sequence

from mcubuild.report.environment import environment
from mcubuild.report.plot import Plot


def render(
    title: str, subtitle: str, plots: Sequence[Plot], table: Sequence[Sequence[str]] = (), text: Sequence[str] = ()
) -> str:
    """The page; the first row of ``table`` has its titles, and each of ``text`` is a paragraph above the charts."""
    template = environment().get_template("figures.html.j2")
    return template.render(title=title, subtitle=subtitle, plots=plots, table=table, text=text)
