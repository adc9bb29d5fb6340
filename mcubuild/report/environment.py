"""The templates of pages, and how they show values."""

import json
from functools import cache

import jinja2

from mcubuild import escape
from mcubuild.report.amounts import bound, titled
from mcubuild.report.layers import TIMES
from mcubuild.units import format_size, format_time


@cache
def environment() -> jinja2.Environment:
    """The templates of pages, and how they show values."""
    result = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("mcubuild.report"), jinja2.PackageLoader("mcubuild", "tasks")]  # sections of tasks
        ),
        autoescape=True,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    result.filters |= {
        "size": format_size,
        "ms": lambda value: format_time(value / 1e3),
        "time": format_time,
        "count": count,
        "bound": bound,
        "titled": titled,
        "grouped": lambda value: f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        "percent": _percent,
        "astray": lambda share: f"{_percent(abs(share))} too {'high' if share > 0 else 'low'}",
        "json": lambda value: json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False),
        "shape": lambda shape: TIMES.join(str(side) for side in shape[1:]),
    }
    return result


def _visible(value: object) -> object:
    """What is printed of ``value``: of text, lines without characters that nobody sees or that reorder others."""
    if not isinstance(value, str) or hasattr(value, "__html__"):  # what macros have printed
        return value
    return "\n".join(escape.visible(line) for line in value.split("\n"))


def count(value: float) -> str:
    """Large counts for people: ``"3.21 M"``, ``"48.2 k"``, ``"512"``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
