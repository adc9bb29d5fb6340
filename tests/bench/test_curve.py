"""Accuracy and time against samples: the law, the answer, tables and pictures, of invented points."""

import math
import random
from collections.abc import Sequence

import pytest

from mcubuild.bench.comparison import SEARCHED
from mcubuild.bench.curve import (
    ALL,
    FOREST,
    PLAIN,
    Point,
    Size,
    accuracy_table,
    answer,
    growth,
    lead_table,
    lines,
    plots,
    time_table,
    to_json,
)
from mcubuild.report.figures import render

TESTED = 10_000
SIZES = [Size("20", 20.0), Size("60", 60.0), Size("200", 200.0), Size(ALL, 410.0)]


def law(
    exponent: float, *, draws: int = 3, noise: float = 0.0, at_20: float = 0.4, sizes: Sequence[Size] = SIZES
) -> list[Point]:
    """The searched network's points, whose error is ``at_20`` with 20 samples, spread by a share of ``noise``."""
    rng = random.Random(0)
    return [
        Point(
            SEARCHED,
            size.name,
            draw,
            1 - at_20 * (size.samples / 20) ** exponent * rng.uniform(1 - noise, 1 + noise),
            9,
        )
        for draw in range(draws)
        for size in sizes
    ]


def told(points: Sequence[Point], sizes: Sequence[Size] = SIZES) -> str:
    return " ".join(answer(growth(sizes, points, TESTED)))


def test_a_power_law_is_found_and_extrapolated() -> None:
    found = growth(SIZES, law(-0.5, noise=0.02), TESTED)
    assert found is not None and found.margin is not None
    assert found.exponent == pytest.approx(-0.5, abs=0.02) and 0.001 < found.margin < 0.05
    error = 0.4 * (410 / 20) ** -0.5
    assert found.error == pytest.approx(error, rel=0.03)
    assert found.doubled() == pytest.approx(error * (1 - 0.5**0.5), rel=0.1)
    assert found.doubled(found.margin) < found.doubled() < found.doubled(-found.margin)
    assert found.step == (200, 410) and len(found.gains) == 3


def test_the_interval_holds_the_exponent_about_as_often_as_it_says() -> None:
    rng, held = random.Random(1), 0
    for _ in range(200):
        points = [
            Point(SEARCHED, size.name, draw, 1 - 0.4 * (size.samples / 20) ** -0.5 * (1 + rng.gauss(0, 0.1)), None)
            for draw in range(3)
            for size in SIZES
        ]
        found = growth(SIZES, points, TESTED)
        assert found is not None and found.margin is not None
        held += abs(found.exponent + 0.5) < found.margin
    assert 180 <= held <= 200


def test_where_no_law_fits_the_interval_is_wide_though_draws_agree() -> None:
    steady, bent = (
        law(-0.5),
        [
            Point(SEARCHED, size.name, draw, accuracy, None)
            for draw in range(3)
            for size, accuracy in zip(SIZES, (0.5, 0.9, 0.91, 0.91), strict=True)
        ],
    )
    margins = [found.margin for points in (steady, bent) if (found := growth(SIZES, points, TESTED))]
    assert margins[0] is not None and margins[1] is not None and margins[0] < 0.01 and margins[1] > 0.2


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (law(-0.5, noise=0.02), "No, more would help: twice as many samples (820 a class) would bring about +2."),
        (law(-0.3, noise=0.02, at_20=0.03), "Yes: twice as many samples (820 a class) of this kind would hardly help"),
        (law(-0.035, noise=0.02), "Nearly: twice as many samples (820 a class) would help a little"),
        (law(-0.02, noise=0.3), "That cannot be told: twice as many samples (820 a class) would bring anything from -"),
    ],
)
def test_the_answer(points: list[Point], verdict: str) -> None:
    assert told(points).startswith(verdict)


def test_too_little_for_an_answer() -> None:
    two = SIZES[:2]
    assert "cannot be told from one size" in told(law(-0.5, sizes=SIZES[:1]), SIZES[:1])
    assert "cannot be told from one draw of two sizes: ask for draws=5" in told(law(-0.5, draws=1, sizes=two), two)
    assert growth(SIZES, law(-0.5, draws=1), TESTED) is not None, "four sizes tell how well they follow a law"
    assert "that cannot be told from one size" in told([]).lower()


def test_no_error_at_all_is_no_infinity() -> None:
    points = [Point(SEARCHED, size.name, draw, 1.0, 1.0) for draw in range(2) for size in SIZES]
    assert told(points).startswith("Yes: ")


def test_a_draw_that_is_not_complete_does_not_count() -> None:
    points = law(-0.5)
    whole, partly = (growth(SIZES, some, TESTED) for some in (points[:8], points[:10]))
    assert whole is not None and partly == whole


POINTS = [
    Point(SEARCHED, "20", 0, 0.80, 60.0),
    Point(SEARCHED, "20", 1, 0.90, None),
    Point(SEARCHED, ALL, 0, 0.95, 120.0),
    Point(SEARCHED, ALL, 1, 0.97, 180.0),
    Point(PLAIN, "20", 0, 0.79, 1.0),
    Point(PLAIN, "20", 1, 0.91, 2.0),
    Point(PLAIN, ALL, 0, 0.90, None),
    Point(PLAIN, ALL, 1, 0.93, None),
    Point(FOREST, "20", 0, 0.70, 0.5),
]
ENDS = [SIZES[0], SIZES[-1]]


def test_tables() -> None:
    assert accuracy_table(ENDS, POINTS) == [
        ["test accuracy, %", "20", "all (410)"],
        [SEARCHED, "85.0 +- 7.1", "96.0 +- 1.4"],
        [PLAIN, "85.0 +- 8.5", "91.5 +- 2.1"],
        [FOREST, "70.0", "-"],
    ]
    assert [row[1:] for row in lead_table(ENDS, POINTS)[1:]] == [["0.0 +- 1.4", "4.5 +- 0.7"], ["10.0", "-"]]
    assert [row[1:] for row in time_table(ENDS, POINTS)[1:]] == [
        ["60.0 s", "2.5 min"],
        ["1.5 s", "-"],
        ["500.0 ms", "-"],
    ]


def test_the_text_and_the_file_have_the_answer() -> None:
    text = list(lines(ENDS, POINTS, TESTED))
    values = to_json(ENDS, POINTS, TESTED)
    assert text[-2] == f"Is the data enough? {values['answer'][0]}"
    assert values["growth"]["step"] == (20, 410) and len(values["points"]) == len(POINTS)
    assert to_json(ENDS[:1], POINTS, TESTED)["growth"] is None


def test_pictures() -> None:
    accuracy, time = plots(ENDS, POINTS, TESTED)
    assert len(accuracy.dots) == 5 and len({dot.x for dot in accuracy.dots}) == 5, "bars do not hide each other"
    assert [text for _, text in accuracy.x.ticks] == ["20", "all (410)"]
    low, high = (accuracy.x.ticks[index][0] for index in (0, 1))
    assert high - low == pytest.approx(4.357, abs=1e-3), "the logarithm of 410 / 20, to base 2"
    assert [text for _, text in accuracy.y.ticks] == ["70", "80", "90", "95"]
    marks = {text: at for at, text in accuracy.y.ticks}
    assert marks["95"] - marks["90"] == pytest.approx(math.log10(2)), "the error halves"
    bars = [curve for curve in accuracy.curves if len(curve.points) == 2 and curve.points[0][0] == curve.points[1][0]]
    assert len(bars) == 4 and accuracy.x.high > high + 1, "the law goes on to twice the samples"
    assert [dot.hint for dot in time.dots][:2] == [
        f"{SEARCHED}, 20 a class: 60.0 s",
        f"{SEARCHED}, all (410) a class: 2.5 min",
    ]
    assert [text for _, text in time.y.ticks] == ["0.5 s", "1 s", "2 s", "5 s", "10 s", "30 s", "1 min", "2 min"]
    assert "power law" in render("title", "subtitle", [accuracy, time], text=["told"])
    (alone,) = plots(ENDS[:1], [Point(SEARCHED, "20", 0, 0.8, None)], TESTED)
    assert len(alone.dots) == 1 and alone.x.low < alone.dots[0].x < alone.x.high
