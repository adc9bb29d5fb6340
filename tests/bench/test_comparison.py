"""The searched network beside published ones: tables and pictures of invented builds."""

from dataclasses import replace
from pathlib import Path

import pytest

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.searched import Ceilings, Evaluated, Method, Searched
from mcubuild.bench.ablation import SWITCHES
from mcubuild.bench.comparison import (
    ALONE,
    LAYERWISE,
    SEARCHED,
    Built,
    Contender,
    Curves,
    Missing,
    best,
    best_so_far,
    lines,
    plots,
    table,
)
from mcubuild.report.figures import render
from mcubuild.spec.engine import EngineSettings
from tests.report.test_figures import NETWORK


def built(name: str, accuracy: float, latency: float | None = 10.0, *, passes: bool = True) -> Built:
    return Built(
        name, (8, 8, 1), "int8", (accuracy,), accuracy, latency, 20480, 65536, 1_500_000, passes, tuple(NETWORK)
    )


CONTENDERS: list[Contender] = [
    built(SEARCHED, 0.9),
    built(ALONE, 0.85),
    built("resnet8", 0.7, 40.0, passes=False),
    built("ds_cnn", 0.95),
    Missing("resnet18", "it needs 90 kB"),
]
CURVES: Curves = {"evolution": [[0.1, 0.6], [0.2, 0.8]], "random": [[0.1, 0.5], [0.2, 0.3]]}


def test_the_table_begins_with_the_most_accurate_and_ends_with_what_does_not_fit() -> None:
    rows = table(CONTENDERS)[1:]
    assert [row[0] for row in rows] == ["ds_cnn", SEARCHED, ALONE, "resnet8", "resnet18"]
    assert rows[3][1:] == ["8x8x1", "70.00%", "40.0 ms", "20.0 kB", "64.0 kB", "1.50", "broken"]
    assert rows[4][-1] == "does not fit"


def test_several_trainings_are_compared_by_their_mean() -> None:
    often = replace(built("resnet8", 0.7), accuracies=(0.7, 0.9))
    assert often.accuracy == pytest.approx(0.8)
    assert table([often])[1][2] == "80.00% +- 14.14"
    chosen = best([built("ds_cnn", 0.75), often], ["resnet8", "ds_cnn"])
    assert chosen is not None and chosen.name == "ds_cnn", "validation decides"


def test_the_best_baseline_is_none_that_was_not_built() -> None:
    found = best(CONTENDERS, ["resnet8", "resnet18"])
    assert found is not None and found.name == "resnet8"
    assert best(CONTENDERS, ["resnet18"]) is None


def test_the_text_has_the_spread_over_seeds_and_the_reasons() -> None:
    text = list(lines(CONTENDERS, CONTENDERS[:1], CURVES))
    assert "resnet18: it needs 90 kB" in text
    (evolution,) = (line for line in text if line.startswith("  evolution"))
    assert "60.00%  80.00%" in evolution and "mean 70.00%, standard deviation 14.14 points" in evolution


def test_the_best_so_far_never_falls(tmp_path: Path) -> None:
    found = [Evaluated(f"{a}", "evolution", 0, a, 1 - a, 10, 20, 30, 40, 0.1) for a in (0.3, 0.2, 0.4)]
    evaluations: dict[Method, tuple[Evaluated, ...]] = {"evolution": tuple(found), "random": tuple(found)}
    limits = Ceilings(sram=None, flash=None, latency=None)
    write_artifact(
        Searched(limits, "accuracy", None, found[-1], (found[-1],), {}, evaluations), tmp_path / "search.json"
    )
    assert best_so_far([tmp_path / "search.json"]) == {"random": [[0.3, 0.3, 0.4]], "evolution": [[0.3, 0.3, 0.4]]}


def test_pictures() -> None:
    pictures = plots(CONTENDERS, CURVES)
    names = [plot.name for plot in pictures]
    assert names[:2] == ["Accuracy against latency", "Accuracy against SRAM"]
    assert sum("Peak memory" in name for name in names) == 3, "one training or the other: the same network"
    assert [dot.x for dot in pictures[0].dots] == [10, 10, 40, 10]
    assert not pictures[0].curves, "one training has no spread"
    evolution = next(curve for curve in pictures[-1].curves if curve.style == "evolution")
    assert [y for _, y in evolution.points] == pytest.approx([15, 70])
    assert "does not fit" in render("title", "subtitle", pictures, table(CONTENDERS))


def test_the_spread_is_drawn_and_labels_keep_apart() -> None:
    often = replace(built("resnet8", 0.7, 40.0), accuracies=(0.7, 0.9))
    picture = plots([built(SEARCHED, 0.9), built(ALONE, 0.9), often], CURVES)[0]
    (bar,) = picture.curves
    (_, low), (_, high) = bar.points
    assert (low, high) == pytest.approx((80 - 14.142, 80 + 14.142), abs=1e-3)
    assert picture.y.low <= low and high <= picture.y.high
    assert [label.below for label in picture.labels] == [False, True, False]


def test_without_a_cycle_model_there_is_no_latency() -> None:
    assert plots([built(SEARCHED, 0.9, None)], CURVES)[0].name == "Accuracy against SRAM"


def test_the_layerwise_engine_has_no_optimisation() -> None:
    settings = EngineSettings.model_validate(LAYERWISE)
    assert not any(getattr(settings, switch) for switch in SWITCHES)
