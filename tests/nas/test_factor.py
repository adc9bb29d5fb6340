"""A time that the user gives becomes a factor on all lengths."""

import json
from pathlib import Path

import pytest

from mcubuild.nas.pace import read_factor, write_pace


@pytest.mark.parametrize(
    ("time", "factor"),
    [(100, 0.8), (50, 0.4), (1000, 8.0), (0.5, 0.01), (1e6, 20.0)],
    ids=["a fifth is kept back", "half", "longer", "not below what can be learned in", "nor above"],
)
def test_the_factor_follows_from_time_and_forecast(tmp_path: Path, time: float, factor: float) -> None:
    path = tmp_path / "pace.json"
    write_pace(time, lambda factor: {"race": 30.0 * factor, "supernet": 70.0 * factor}, path, planned=0.8)
    assert read_factor(path) == pytest.approx(factor, rel=2e-3)
    assert json.loads(path.read_text())["seconds"] == {"race": 30.0, "supernet": 70.0}


def test_what_takes_time_at_any_length_is_taken_into_account(tmp_path: Path) -> None:
    write_pace(100, lambda factor: {"race": 40.0, "supernet": 160.0 * factor}, tmp_path / "pace.json", planned=0.8)
    assert read_factor(tmp_path / "pace.json") == pytest.approx((80 - 40) / 160, rel=2e-3)


def test_what_takes_more_than_in_proportion_is_too(tmp_path: Path) -> None:
    write_pace(500, lambda factor: {"supernet": 100.0 * factor**1.5}, tmp_path / "pace.json", planned=0.8)
    assert 395 < 100 * read_factor(tmp_path / "pace.json") ** 1.5 <= 400


def test_a_time_that_cannot_be_kept_is_known(tmp_path: Path) -> None:
    path = tmp_path / "pace.json"
    assert write_pace(10, lambda factor: {"race": 30.0, "supernet": 70.0 * factor}, path, planned=0.8) > 30
    assert write_pace(100, lambda factor: {"race": 30.0, "supernet": 70.0 * factor}, path, planned=0.8) <= 80


def test_without_a_time_lengths_are_as_they_are() -> None:
    assert read_factor(None) == 1
