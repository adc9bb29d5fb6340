"""Builds beside each other, of one spec or of a project; no pydantic, as this is shown with nothing to build, too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcubuild.report.amounts import amount, grouped, standing, titled
from mcubuild.report.interval import bounds

if TYPE_CHECKING:
    from mcubuild.report.plot import Plot

_FIGURES = (("latency", "ms"), ("sram", "B"), ("flash", "B"), ("energy", "mJ"))
"""Lines of the budget, as far as anything is known of them."""
_TITLES = {"latency": "latency", "sram": "SRAM", "flash": "Flash", "energy": "energy"}
_AXES = (
    ("latency", "latency of the slowest sample, ms", 1.0),
    ("flash", "Flash, kB", 1024.0),
    ("sram", "SRAM, kB", 1024.0),
)
"""What scores are drawn against: the line of the budget, the axis's title, and its unit in the budget's."""
_NAMED = 12
"""Builds of a chart that have their names in it; of more, pointing at one shows it."""


@dataclass(frozen=True)
class Variant:
    """A build."""

    name: str
    chosen: Mapping[str, Any]
    """What tells it from others, by title: such as the values that [matrix] gives it, by dotted keys."""
    report: Mapping[str, Any] | None
    """The content of its report.json; None where that is not of the spec as it is."""
    state: str = "not built"
    """Why there is no report, in a word or two."""


def table(variants: Sequence[Variant]) -> list[list[str]]:
    """A row of titles, then a row a build; what breaks its limit is marked."""
    return [[cell for cell, _ in row] for row in _rows(variants)]


def _rows(variants: Sequence[Variant]) -> Iterator[list[tuple[str, float | None]]]:
    """The table: text of each cell, and what it is sorted by where that is a figure."""
    keys = list(dict.fromkeys(key for one in variants for key in one.chosen))
    reports = [one.report for one in variants if one.report]
    metrics = list(dict.fromkeys(report["accuracy"]["metric"] for report in reports))
    figures = [(k, unit) for k, unit in _FIGURES if any(one["budget"][k]["used"] is not None for one in reports)]
    score = "score" if len(metrics) > 1 else (metrics or ["accuracy"])[0]
    counted = any(report["cycles"] for report in reports)
    titles = ["build", *keys, "verdict", score, *["cycles"] * counted, *(_TITLES[key] for key, _ in figures)]
    yield [(title, None) for title in titles]
    for one in variants:
        row: list[tuple[str, float | None]] = [(one.name, None)]
        row += [(_value(one.chosen.get(key, "")), None) for key in keys]
        if one.report is None:
            yield [*row, (one.state, None), *[("", None)] * (1 + counted + len(figures))]
            continue
        row.append((standing(one.report["verdict"], one.report["cautions"]), None))
        row.append((_score(one.report, named=len(metrics) > 1), one.report["accuracy"]["judged"]))
        cycles = one.report["cycles"] and one.report["cycles"]["mean"]
        row += [("" if cycles is None else grouped(cycles), cycles)] * counted
        used = [one.report["budget"][key] for key, _ in figures]
        yield row + [(_used(line, unit), line["used"]) for line, (_, unit) in zip(used, figures, strict=True)]


def _value(value: Any) -> str:
    """Of a key of the spec, tables without their braces."""
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)


def _used(line: Mapping[str, Any], unit: Any) -> str:
    return "" if line["used"] is None else amount(line["used"], unit) + ("" if line["ok"] else " !")


def _score(report: Mapping[str, Any], named: bool) -> str:
    accuracy = report["accuracy"]
    if accuracy["judged"] is None:
        return ""
    metric = f" {accuracy['metric']}" if named else ""
    text = f"{amount(accuracy['judged'], 'share')}{metric} ({bounds(accuracy['interval'])})"
    return text + ("" if report["budget"]["accuracy"]["ok"] else " !")


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as text, columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (f"{cell:{'<' if n == 0 else '>'}{widths[n]}}" for n, cell in enumerate(row))
        yield "  ".join([first, *others]).rstrip()


def page(
    title: str, subtitle: str, variants: Sequence[Variant], links: Mapping[str, str], text: Sequence[str] = ()
) -> str:
    """The table as a page that can be sorted, with scores against latency and memory, where they are known.

    Args:
        title: its heading.
        subtitle: a line below that.
        variants: the builds.
        links: where the names of some of them lead.
        text: paragraphs above the charts.
    """
    from mcubuild.report.figures import render

    rows = [*_rows(variants)]
    return render(
        title,
        f"{subtitle}; scores with their 95 % intervals, ! is beyond its limit",
        [*_plots(variants)],
        [[cell for cell, _ in row] for row in rows],
        text,
        links=[links.get(one.name, "") for one in variants],
        sorted_by=[[value for _, value in row] for row in rows[1:]],
    )


def _plots(variants: Sequence[Variant]) -> Iterator["Plot"]:
    """Of each metric, the score against the time and against the memory of the builds that have it."""
    from mcubuild.report.plot import Dot, Label, Plot, linear

    reports = [
        (one.name, one.report) for one in variants if one.report and one.report["accuracy"]["judged"] is not None
    ]
    for metric in dict.fromkeys(report["accuracy"]["metric"] for _, report in reports):
        for key, title, unit in _AXES:
            places = [
                (report["budget"][key]["used"] / unit, 100 * report["accuracy"]["judged"], report["budget"][key], name)
                for name, report in reports
                if report["accuracy"]["metric"] == metric and report["budget"][key]["used"] is not None
            ]
            if places:
                yield Plot(
                    name=f"{titled(metric)} against {_TITLES[key]}",
                    x=linear([x for x, *_ in places], title, "{:g}".format, zero=True),
                    y=linear([y for _, y, *_ in places], f"{metric}, %", "{:g}".format, most=101),
                    dots=[
                        Dot(x, y, "evolution", f"{name}: {y:.2f} %, {amount(line['used'], line['unit'])}", 5)
                        for x, y, line, name in places
                    ],
                    labels=[Label(x, y, name) for x, y, _, name in places] if len(places) <= _NAMED else (),
                    height=320,
                )
