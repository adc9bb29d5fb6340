"""What the report tells of the race of search spaces."""

import pytest

from mcubuild.artifacts.spaces import ComparedSpace, Race, Raced, Smallest, SpaceLimits, SpaceTable
from mcubuild.report.race import plot, table
from mcubuild.resolution import square
from mcubuild.tasks.classification import ACCURACY
from mcubuild.tasks.detection import MEAN_AP


def space(name: str, block: str) -> ComparedSpace:
    return ComparedSpace(name, block, 0.5, square(32), 10, 1.0, None, (), Smallest(1, 1, 1.0, 1))


SPACES = SpaceTable(
    "w0.5-r32", (), "", SpaceLimits(1, 1, None, None), None,
    (space("w0.5-r32", "mobile"), space("plain-w0.5-r32", "plain"), space("plain-w0.2-r16", "plain")),
)  # fmt: skip


def row(number: int, name: str, flash: int, loss: float, accuracy: float) -> Raced:
    return Raced(number, name, flash, 100 * (number + 1), 1 + number, 80 * (1 + number), loss, accuracy)


ROUNDS = (
    row(0, "plain-w0.2-r16", 9000, 0.6, 0.8), row(0, "w0.5-r32", 90_000, 0.7, 0.75),
    row(0, "plain-w0.5-r32", 50_000, 0.9, 0.7),
    row(1, "w0.5-r32", 90_000, 0.3, 0.9), row(1, "plain-w0.2-r16", 9000, 0.31, 0.875),
)  # fmt: skip


def test_who_competed_and_what_each_round_saw() -> None:
    found = table(Race("w0.5-r32", ROUNDS), SPACES, ACCURACY)
    assert found is not None
    assert [(one.number, one.steps, one.trainings, one.samples) for one in found.rounds] == [
        (1, 100, 1, 80),
        (2, 200, 2, 160),
    ]
    first, second, third = found.rows
    assert (first.name, first.block, first.flash, first.won) == ("w0.5-r32", "mobile", 90_000, True)
    assert (second.name, second.won) == ("plain-w0.2-r16", False)
    assert (third.name, third.block, third.results[1]) == ("plain-w0.5-r32", "plain", None), "it was out"
    last = first.results[1]
    assert last is not None and (last.score, last.loss) == ("90.00 % (84.4 to 93.8, 95 %)", 0.3)


@pytest.mark.parametrize(
    ("winner", "reason"),
    [
        ("w0.5-r32", "w0.5-r32 won with the least loss in the last round"),
        (
            "plain-w0.2-r16",
            "plain-w0.2-r16 won: w0.5-r32 has the least loss, but validation does not tell the two apart (by a "
            "standard error of their difference), and plain-w0.2-r16 is the smaller one",
        ),
    ],
)
def test_why_the_winner_won(winner: str, reason: str) -> None:
    found = table(Race(winner, ROUNDS), SPACES, ACCURACY)
    assert found is not None and found.reason == reason


def test_a_single_space_needs_no_race() -> None:
    assert table(Race("w0.5-r32", ()), SPACES, ACCURACY) is None


def test_a_line_for_each_contender_until_it_is_out() -> None:
    drawn = plot(Race("w0.5-r32", ROUNDS), ACCURACY)
    lines = {(curve.style, len(curve.points)) for curve in drawn.curves}
    assert lines == {("other", 2), ("other", 1), ("winner", 2)} and drawn.curves[-1].style == "winner"
    assert drawn.curves[-1].points == [(1, 75), (2, 90)]
    assert drawn.x.ticks == ((1, "100"), (2, "200"))
    assert drawn.legend == (("winner", "w0.5-r32, the winner"), ("other", "2 others"))
    assert "plain-w0.5-r32, round 1: 70.00 % (59.2 to 78.9, 95 %)" in {dot.hint for dot in drawn.dots}


def test_a_score_that_counts_no_samples_has_no_interval_from_their_number() -> None:
    race = Race("w0.5-r32", ROUNDS)
    found = table(race, SPACES, MEAN_AP)
    assert found is not None and found.rows[0].results[0] is not None
    assert found.rows[0].results[0].score == "75.00 %"
    drawn = plot(race, MEAN_AP)
    assert drawn.y.title == "validation mAP@0.5, %" and drawn.name.startswith("mAP@0.5")
    assert "plain-w0.5-r32, round 1: 70.00 %" in {dot.hint for dot in drawn.dots}
