"""The builds that one spec stands for beside each other; no pydantic, as this is shown with nothing to build, too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcubuild.report.amounts import amount, standing
from mcubuild.report.interval import bounds

_FIGURES = (("latency", "ms"), ("sram", "B"), ("flash", "B"), ("energy", "mJ"))
"""Lines of the budget, as far as anything is known of them."""
_TITLES = {"latency": "latency", "sram": "SRAM", "flash": "Flash", "energy": "energy"}


@dataclass(frozen=True)
class Variant:
    """A build."""

    name: str
    chosen: Mapping[str, Any]
    """The values that [matrix] gives it, by dotted keys."""
    report: Mapping[str, Any] | None
    """The content of its report.json; None where it could not be built."""


def table(variants: Sequence[Variant]) -> list[list[str]]:
    """A row of titles, then a row a build; what breaks its limit is marked."""
    keys = list(dict.fromkeys(key for one in variants for key in one.chosen))
    budgets = [one.report["budget"] for one in variants if one.report]
    figures = [(key, unit) for key, unit in _FIGURES if any(budget[key]["used"] is not None for budget in budgets)]
    rows = [["build", *keys, "verdict", "accuracy", *(_TITLES[key] for key, _ in figures)]]
    for one in variants:
        chosen = [str(one.chosen.get(key, "")) for key in keys]
        if one.report is None:
            rows.append([one.name, *chosen, "not built", *[""] * (1 + len(figures))])
            continue
        verdict = standing(one.report["verdict"], one.report["cautions"])
        used = [_used(one.report["budget"][key], unit) for key, unit in figures]
        rows.append([one.name, *chosen, verdict, _accuracy(one.report), *used])
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


def page(spec: str, variants: Sequence[Variant]) -> str:
    """The table as a page, with accuracy against latency, where both are known."""
    from mcubuild.report.figures import render
    from mcubuild.report.plot import Dot, Label, Plot, linear

    places = []
    for one in variants:
        if one.report is None:
            continue
        latency, accuracy = one.report["budget"]["latency"]["used"], one.report["accuracy"]["judged"]
        if latency is not None and accuracy is not None:
            places.append((latency, 100 * accuracy, one.name))
    plot = Plot(
        name="Accuracy against latency",
        x=linear([x for x, _, _ in places], "latency of the slowest sample, ms", "{:g}".format, zero=True),
        y=linear([y for _, y, _ in places], "accuracy, %", "{:g}".format, most=101),
        dots=[Dot(x, y, "evolution", f"{name}: {y:.2f} %, {x:.3g} ms", 5) for x, y, name in places],
        labels=[Label(x, y, name) for x, y, name in places],
        height=320,
    )
    links = [f"../{one.name}/report.html" if one.report else "" for one in variants]
    subtitle = "every build of its [matrix]; accuracy with its 95 % interval, ! is beyond its limit"
    return render(f"{spec}: {len(variants)} builds", subtitle, [plot] if places else [], table(variants), links=links)
