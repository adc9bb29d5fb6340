"""Amounts of report.json for people; no pydantic, as the terminal shows them even when there is nothing to build."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from itertools import groupby
from typing import Any, Literal, TypeAlias

from mcubuild.units import format_energy, format_size, format_time

Unit: TypeAlias = Literal["B", "ms", "mJ", "share"]
"""``share``: 0 ... 1, of which a limit is the least that is allowed; all others are limited from above."""


def amount(value: float, unit: Unit) -> str:
    """``value`` for people."""
    if unit == "share":
        return f"{100 * value:.2f} %"
    if unit == "B":
        return format_size(value)
    return format_time(value / 1e3) if unit == "ms" else format_energy(value / 1e3)


def bound(limit: float, unit: Unit) -> str:
    """A limit: ``128.0 kB``, ``at least 90.00 %``."""
    return f"at least {amount(limit, unit)}" if unit == "share" else amount(limit, unit)


def distance(value: float, unit: Unit) -> str:
    """How far use is from a limit: ``99.6 kB``, or, of shares, ``6.67 points``."""
    if unit != "share":
        return amount(value, unit)
    points = 100 * value
    return f"{points:.2f} points" if abs(points) >= 0.01 or not points else f"{points:.1g} points"


def left(margin: float, unit: Unit) -> str:
    """What is left below a limit, or what is missing: ``99.6 kB free``, ``6.67 points below``."""
    words = ("above", "below") if unit == "share" else ("free", "over")
    return f"{distance(abs(margin), unit)} {words[margin < 0]}"


def standing(verdict: str, cautions: Sized) -> str:
    """The verdict in a few words: ``pass``, ``pass, 2 cautions``."""
    count = len(cautions)
    return verdict + (f", {count} caution{'s' if count > 1 else ''}" if count else "")


FigureUnit: TypeAlias = Literal["B", "ms", "mJ", "share", "s", "cycles", "instructions", "samples"]
"""Of figures; ``instructions`` and ``cycles`` are those of one inference."""


def grouped(value: float) -> str:
    """A count in full: ``5,273,558``."""
    return f"{value:,.0f}"


def amount_of(figure: Mapping[str, Any], count: Callable[[float], str] = grouped) -> str:
    """What a figure of report.json amounts to, such as ``24.4 ms``, ``5,273,558 cycles``, ``8 of 8 samples``."""
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "unknown"
    if unit == "s":
        return format_time(value)
    if unit not in ("cycles", "instructions", "samples"):
        return amount(value, unit)
    of = "" if figure["of"] is None else f" of {figure['of']:.0f}"
    return f"{count(value)}{of}" + ("" if unit == "instructions" else f" {unit}")


def spread(figure: Mapping[str, Any]) -> str:
    """Between what it is to be expected: ``(74.4 to 87.5)`` of shares, ``± 20 %`` of others; empty: not known."""
    if figure["interval"] is None or figure["value"] is None:
        return ""
    low, high = figure["interval"]
    if figure["unit"] == "share":
        return f"({100 * low:.1f} to {100 * high:.1f})"
    return f"± {100 * (high / figure['value'] - 1):.0f} %" if figure["value"] else ""


def with_spread(figure: Mapping[str, Any], count: Callable[[float], str] = grouped) -> str:
    """Such as ``81.82 % (74.4 to 87.5)``, ``24.4 ms ± 20 %``."""
    return f"{amount_of(figure, count)} {spread(figure)}".rstrip()


def origin_of(figure: Mapping[str, Any]) -> str:
    """Where a figure comes from, such as ``emulated: cortex-m7 pipeline``."""
    return f"{figure['origin']}: {figure['method']}" if figure["method"] else str(figure["origin"])


def in_lines(figures: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Figures that have a line of their own, by title; parts of one that follow each other share it.

    Left out are those that are not known, and the memories, which have lines of the budget.
    """
    shown = [one for one in figures if one["level"] != "part" and one["value"] is not None and one["unit"] != "B"]
    for (title, _), members in groupby(shown, key=lambda one: (one["title"], "" if one["part"] else one["key"])):
        yield title, list(members)


def titled(metric: str) -> str:
    """The name of a metric at the start of a line: ``Accuracy``, ``mAP@0.5``."""
    return metric.capitalize() if metric.islower() else metric
