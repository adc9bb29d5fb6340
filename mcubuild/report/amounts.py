"""Amounts of report.json for people; no pydantic, as the terminal shows them even when there is nothing to build."""

from typing import Literal, TypeAlias

from mcubuild.units import format_energy, format_size, format_time

Unit: TypeAlias = Literal["B", "ms", "mJ"]


def amount(value: float, unit: Unit) -> str:
    """``value`` for people."""
    if unit == "B":
        return format_size(value)
    return format_time(value / 1e3) if unit == "ms" else format_energy(value / 1e3)
