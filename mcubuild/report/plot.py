"""Geometry of charts: data to percentages of the plot's area; templates/chart.html.j2 draws them.

Positions are percentages, so that one SVG fills a phone's or a desktop's width while its text keeps its size.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_NEAR: Final = 0.1
"""Share of a chart's width and height within which labels overlap,"""
_LETTER: Final = 0.0075
"""or, of long ones, so much of its width a letter."""


@dataclass(frozen=True)
class Axis:
    """A linear axis from ``low`` to ``high``."""

    low: float
    high: float
    title: str = ""
    ticks: tuple[tuple[float, str], ...] = ()
    """Value and label."""

    def at(self, value: float) -> float:
        """Percentage of the axis's length at which ``value`` lies, to 0.01 %."""
        return round(100 * (value - self.low) / ((self.high - self.low) or 1), 2)


@dataclass(frozen=True)
class Box:
    """A rectangle between two values of each axis."""

    x: tuple[float, float]
    y: tuple[float, float]
    style: str
    hint: str = ""
    """Shown by the browser on hovering, read by screen readers."""


@dataclass(frozen=True)
class Curve:
    """A line through points."""

    points: Sequence[tuple[float, float]]
    style: str


@dataclass(frozen=True)
class Dot:
    """A point."""

    x: float
    y: float
    style: str
    hint: str = ""
    radius: float = 3.5
    """In pixels."""


@dataclass(frozen=True)
class Rule:
    """A line across the plot at a value, with a label."""

    value: float
    label: str
    vertical: bool = False
    style: str = "limit"


@dataclass(frozen=True)
class Label:
    """Text over a point, or below it."""

    x: float
    y: float
    text: str
    below: bool = False


@dataclass(frozen=True)
class Plot:
    """A chart. Later items lie over earlier ones: boxes, curves, dots, rules, labels."""

    name: str
    """What a screen reader calls it."""
    x: Axis
    y: Axis
    boxes: Sequence[Box] = ()
    curves: Sequence[Curve] = ()
    dots: Sequence[Dot] = ()
    rules: Sequence[Rule] = ()
    labels: Sequence[Label] = ()
    legend: Sequence[tuple[str, str]] = ()
    """Style and text of what is drawn."""
    height: int = 240
    """In pixels."""
    key: str = "line"
    """Shape of the legend's keys: line, dot or box."""

    def path(self, curve: Curve) -> str:
        """``curve`` as the points of an SVG polyline in a 100 x 100 box, y downwards."""
        return " ".join(f"{self.x.at(x):g},{100 - self.y.at(y):g}" for x, y in curve.points)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round values between ``low`` and ``high``: multiples of 1, 2, 2.5 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999), default=10)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def linear(
    values: Iterable[float],
    title: str,
    text: Callable[[float], str],
    *,
    zero: bool = False,
    room: float = 0.05,
    count: int = 5,
    most: float = math.inf,
) -> Axis:
    """A linear axis around ``values``, from 0 if ``zero``, with ``room`` at its ends (a share), at most to ``most``."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = (0.0 if zero else min(finite)), max(finite)
    spread = (high - low) or abs(high) or 1.0
    low, high = (0.0 if zero else low - room * spread), min(high + room * spread, most)
    return Axis(low, high, title, tuple((tick, text(tick)) for tick in nice_ticks(low, high, count)))


def stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a line that keeps the value of each point until the next."""
    corners = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        corners += [(x, before), (x, y)]
    return corners


def names(points: Sequence[tuple[float, float, str]]) -> list[Label]:
    """A label for each dot (x, y, name): above it, or below it where another's is so near that they would overlap."""
    right = max(x for x, _, _ in points)
    height = max(y for _, y, _ in points) - min(y for _, y, _ in points)
    labels: list[Label] = []
    for x, y, name in points:
        near = [
            one
            for one in labels
            if abs(one.x - x) < max(_NEAR, _LETTER * (len(one.text) + len(name)) / 2) * right
            and abs(one.y - y) <= _NEAR * height
        ]
        labels.append(Label(x, y, name, below=bool(near) and not near[-1].below))
    return labels
