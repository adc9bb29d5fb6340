"""Builds of one spec beside each other; no pydantic, as this is shown with nothing to build, too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcubuild.report.amounts import amount, grouped, standing
from mcubuild.report.interval import bounds

if TYPE_CHECKING:
    from mcubuild.report.plot import Plot

_FIGURES = (("latency", "ms"), ("sram", "B"), ("flash", "B"), ("energy", "mJ"))
"""Lines of the budget, as far as anything is known of them."""
_TITLES = {"latency": "latency", "sram": "SRAM", "flash": "Flash", "energy": "energy"}
_AXES = {
    "latency": ("latency", "latency of the slowest sample, ms", 1.0, "ms"),
    "flash": ("Flash", "Flash, kB", 1024.0, "kB"),
    "sram": ("SRAM", "SRAM, kB", 1024.0, "kB"),
}
"""What accuracy is drawn against: the plot's name, the axis's title, its unit in the budget's, that one's name."""


@dataclass(frozen=True)
class Variant:
    """A build."""

    name: str
    chosen: Mapping[str, Any]
    """What is its own, by dotted keys."""
    report: Mapping[str, Any] | None
    """The content of its report.json; None where it could not be built."""


def table(variants: Sequence[Variant]) -> list[list[str]]:
    """A row of titles, then a row a build; what breaks its limit is marked."""
    keys = list(dict.fromkeys(key for one in variants for key in one.chosen))
    budgets = [one.report["budget"] for one in variants if one.report]
    figures = [(key, unit) for key, unit in _FIGURES if any(budget[key]["used"] is not None for budget in budgets)]
    counted = any(one.report["cycles"] for one in variants if one.report)
    rows = [["build", *keys, "verdict", "accuracy", *["cycles"] * counted, *(_TITLES[key] for key, _ in figures)]]
    for one in variants:
        chosen = [str(one.chosen.get(key, "")) for key in keys]
        if one.report is None:
            rows.append([one.name, *chosen, "not built", *[""] * (1 + counted + len(figures))])
            continue
        verdict = standing(one.report["verdict"], one.report["cautions"])
        used = [_used(one.report["budget"][key], unit) for key, unit in figures]
        cycles = [grouped(one.report["cycles"]["mean"]) if one.report["cycles"] else ""] * counted
        rows.append([one.name, *chosen, verdict, _accuracy(one.report), *cycles, *used])
    return rows


def _used(line: Mapping[str, Any], unit: Any) -> str:
    return "" if line["used"] is None else amount(line["used"], unit) + ("" if line["ok"] else " !")


def _accuracy(report: Mapping[str, Any]) -> str:
    accuracy = report["accuracy"]
    if accuracy["judged"] is None:
        return ""
    text = f"{amount(accuracy['judged'], 'share')} ({bounds(accuracy['interval'])})"
    return text + ("" if report["budget"]["accuracy"]["ok"] else " !")


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as text, columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (f"{cell:{'<' if n == 0 else '>'}{widths[n]}}" for n, cell in enumerate(row))
        yield "  ".join([first, *others]).rstrip()


def page(spec: str, told: str, variants: Sequence[Variant]) -> str:
    """The table as a page, with accuracy against what the budget limits, where both are known.

    Args:
        spec: the name of its file.
        told: what is compared.
        variants: the builds.
    """
    from mcubuild.report.figures import render

    links = [f"../{one.name}/report.html" if one.report else "" for one in variants]
    subtitle = f"{told}; accuracy with its 95 % interval, ! is beyond its limit"
    return render(f"{spec}: {len(variants)} builds", subtitle, _plots(variants), table(variants), links=links)


def _plots(variants: Sequence[Variant]) -> Iterator["Plot"]:
    from mcubuild.report.plot import Dot, Label, Plot, linear

    for key, (name, title, unit, short) in _AXES.items():
        reports = [(one.name, one.report) for one in variants if one.report]
        found = [(build, each["budget"][key]["used"], each["accuracy"]["judged"]) for build, each in reports]
        places = [(used / unit, 100 * share, build) for build, used, share in found if None not in (used, share)]
        if places:
            yield Plot(
                name=f"Accuracy against {name}",
                x=linear([x for x, _, _ in places], title, "{:g}".format, zero=True),
                y=linear([y for _, y, _ in places], "accuracy, %", "{:g}".format, most=101),
                dots=[Dot(x, y, "evolution", f"{build}: {y:.2f} %, {x:.3g} {short}", 5) for x, y, build in places],
                labels=[Label(x, y, build) for x, y, build in places],
                height=320,
            )
