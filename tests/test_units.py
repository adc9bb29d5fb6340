"""Figures as people read them: no unit is skipped, nothing rounds to a thousand of a smaller unit."""

import pytest

from mcubuild.units import format_energy, format_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1e-9, "0.0 us"),
        (12e-6, "12.0 us"),
        (0.99999, "1.0 s"),
        (0.0444, "44.4 ms"),
        (-0.005, "-5.0 ms"),
        (119.0, "119.0 s"),
        (150.0, "2.5 min"),
        (9000.0, "2.5 h"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


@pytest.mark.parametrize(
    ("joules", "text"),
    [(2.346, "2.35 J"), (0.9996, "1 J"), (5e-3, "5 mJ"), (-1.5e-3, "-1.5 mJ"), (37e-6, "37 uJ"), (0, "0 uJ")],
)
def test_energies(joules: float, text: str) -> None:
    assert format_energy(joules) == text
