"""Use against limits, and predictions against what came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.artifacts.plan import Predicted
from mcubuild.report.amounts import amount, bound, left
from mcubuild.report.layers import TIMES
from mcubuild.report.model import Limit, Report


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
    excess: float | None
    """Length of what is over the limit in percent."""
    whisker: tuple[float, float] | None
    """Ends of the uncertainty in percent."""
    uncertainty: str = "uncertainty of the cycle model"
    """What the whisker is."""


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
    energy = [("latency", "slowest sample", budget.energy.used or 0)]
    uncertainty = (report.uncertainty or 0) if budget.latency.origin == "emulated" else 0
    found = [
        _bar("SRAM", budget.sram, memory),
        _bar("Flash", budget.flash, storage),
        _bar(f"Latency, {budget.latency.origin}", budget.latency, time, uncertainty),
    ]
    if budget.energy.limit is not None:
        title = f"Energy, modelled: {report.board.active_power_mw:g} mW active power {TIMES} latency"
        found.append(_bar(title, budget.energy, energy, uncertainty))
    if budget.accuracy.limit is not None:
        found.append(_quality(report))
    return found


def _quality(report: Report) -> Bar:
    """Accuracy, of 100 %."""
    line, interval = report.budget.accuracy, report.accuracy.interval
    assert line.limit is not None
    share = 100 * (report.accuracy.judged or 0)
    return Bar(
        title=f"Accuracy, {line.origin}" + (", lower end of the 95 % interval" if report.budget.strict else ""),
        line=line,
        summary=_summary(line),
        pieces=(Piece("latency", "accuracy", f"{share:.2f} %", 0, round(share, 2)),),
        limit_at=round(100 * line.limit, 2),
        excess=None,
        whisker=None if interval is None else (round(100 * interval[0], 2), round(100 * interval[1], 2)),
        uncertainty="95 % interval (Wilson)",
    )


def _bar(title: str, line: Limit, parts: Sequence[tuple[str, str, float]], uncertainty: float = 0) -> Bar:
    used = line.used or 0
    full = max(line.limit or 0, used * (1 + uncertainty)) * 1.04 or 1
    pieces, start = [], 0.0
    for style, name, value in parts:
        if not value:
            continue
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
        excess=round(-100 * line.margin / full, 2) if line.margin is not None and line.margin < 0 else None,
        whisker=ends if used and uncertainty else None,
    )


def _summary(line: Limit) -> str:
    if line.used is None:
        return "not known" if line.limit is None else f"not known, limit {bound(line.limit, line.unit)}"
    used = amount(line.used, line.unit)
    if line.limit is None or line.margin is None:
        return f"{used}, no limit"
    return f"{used} of {bound(line.limit, line.unit)} · {left(line.margin, line.unit)}"


@dataclass(frozen=True)
class Promise:
    """What the search was told, and what came out."""

    title: str
    promised: str
    delivered: str
    difference: str


def promises(report: Report, predicted: Predicted) -> list[Promise]:
    """The engine's predictions (plan.json) beside the linked firmware and the modelled cycles."""
    sram, flash = report.sram, report.flash
    rows = [
        _promise("SRAM", predicted.sram, sram.arena + sram.static + sram.stack_reserved),
        _promise("Flash: weights", predicted.weights, flash.weights),
        _promise("Flash: code", predicted.code, flash.code + flash.data),
    ]
    if report.cycles is not None:
        relative = report.cycles.mean / predicted.cycles - 1
        rows.append(
            Promise(
                "cycles",
                f"{predicted.cycles:,.0f}",
                f"{report.cycles.mean:,.0f}",
                _minus(f"{100 * relative:+.1f} %"),
            )
        )
    return rows


def _promise(title: str, promised: float, delivered: float) -> Promise:
    difference = delivered - promised
    text = "equal" if difference == 0 else _minus(f"{difference:+,.0f} B")
    return Promise(title, f"{promised:,.0f} B", f"{delivered:,.0f} B", text)


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
