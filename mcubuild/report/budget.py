"""Bars of use against limit."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.report.model import Limit, Report
from mcubuild.report.verdict import amount


@dataclass(frozen=True)
class Piece:
    """A part of what is used; positions in percent of the bar's length."""

    style: str
    title: str
    amount: str
    start: float
    length: float


@dataclass(frozen=True)
class Bar:
    """One line of the budget."""

    title: str
    line: Limit
    summary: str
    """Such as ``10.6 kB of 128.0 kB · 117.4 kB free``."""
    pieces: tuple[Piece, ...]
    limit_at: float | None
    """Position of the limit in percent."""
    whisker: tuple[float, float] | None
    """Ends of the uncertainty in percent."""


def bars(report: Report) -> list[Bar]:
    """The budget line by line."""
    sram, flash, budget = report.sram, report.flash, report.budget
    memory = [
        ("arena", "arena", sram.arena),
        ("static", "static data", sram.static),
        ("stack", "stack, deepest", sram.stack),
    ]
    storage = [
        ("weights", "weights", flash.weights),
        ("code", "code", flash.code),
        ("data", "initial values", flash.data),
    ]
    time = [("latency", "slowest sample", budget.latency.used or 0)]
    return [
        _bar("SRAM", budget.sram, memory),
        _bar("Flash", budget.flash, storage),
        _bar("Latency", budget.latency, time, report.uncertainty or 0),
    ]


def _bar(title: str, line: Limit, parts: Sequence[tuple[str, str, float]], uncertainty: float = 0) -> Bar:
    used = line.used or 0
    full = max(line.limit or 0, used * (1 + uncertainty)) * 1.04 or 1
    pieces, start = [], 0.0
    for style, name, value in parts:
        pieces.append(
            Piece(style, name, amount(value, line.unit), round(100 * start / full, 2), round(100 * value / full, 2))
        )
        start += value
    ends = (round(100 * used * (1 - uncertainty) / full, 2), round(100 * used * (1 + uncertainty) / full, 2))
    return Bar(
        title=title,
        line=line,
        summary=_summary(line),
        pieces=tuple(pieces),
        limit_at=None if line.limit is None else round(100 * line.limit / full, 2),
        whisker=ends if used and uncertainty else None,
    )


def _summary(line: Limit) -> str:
    if line.used is None:
        return "not known" if line.limit is None else f"not known, limit {amount(line.limit, line.unit)}"
    used = amount(line.used, line.unit)
    if line.limit is None or line.margin is None:
        return f"{used}, no limit"
    word = "free" if line.ok else "over"
    return f"{used} of {amount(line.limit, line.unit)} · {amount(abs(line.margin), line.unit)} {word}"
