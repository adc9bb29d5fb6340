"""Amounts of report.json for people; no pydantic, as the terminal shows them even when there is nothing to build."""

from collections.abc import Sized
from typing import Literal, TypeAlias

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


def agreement(count: int, samples: int, tolerance: int) -> str:
    """Such as ``8 of 8 agree``, ``8 of 8 within 2 steps``."""
    how = f"within {tolerance} step{'s' if tolerance > 1 else ''}" if tolerance else "agree"
    return f"{count} of {samples} {how}"


def titled(metric: str) -> str:
    """The name of a metric at the start of a line: ``Accuracy``, ``mAP@0.5``."""
    return metric.capitalize() if metric.islower() else metric
