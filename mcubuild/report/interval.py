"""Scores with their intervals, as text; no numpy, as the terminal shows them with nothing to build."""

from mcubuild.report.amounts import amount


def score_text(score: float, interval: tuple[float, float] | None) -> str:
    """Such as ``83.33 % (79.1 to 86.8, 95 %)``."""
    shown = "" if interval is None else f" ({bounds(interval)}, 95 %)"
    return f"{amount(score, 'share')}{shown}"


def bounds(interval: tuple[float, float]) -> str:
    """Of an interval, in percent: ``79.1 to 86.8``."""
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}"
