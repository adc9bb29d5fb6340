"""Short trainings decide which space is worth a super network."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.data.splits import Split
from mcubuild.nas.search.race import Judgement, _folds, by_turns, plan, preferred, race
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.space.contender import Contender, read_contenders, write_contenders
from mcubuild.nas.space.files import read_neighbours, read_space
from mcubuild.nas.training.batches import for_the_last_training
from mcubuild.nas.training.length import Length
from mcubuild.resolution import square
from mcubuild.spec.training import TrainingSettings
from tests.nas.toy import LEARNING, split

WHOLE = Length(batch=32, steps=50, rounds=72, patient=False)
SHORT = TrainingSettings(epochs=8, learning_rate=0.1, label_smoothing=0.1, batch=16)
SPACES = [Space(width, square(side), 1, 3, 2) for width, side in ((0.3, 8), (0.2, 8), (0.2, 4))]
WIDE, NARROW, SMALL = (
    Contender(smallest(space), macs=1000 * size, flash=size) for size, space in zip((3, 2, 1), SPACES, strict=True)
)


def judgement(*losses: float) -> Judgement:
    return Judgement(np.array(losses), float((np.array(losses) < 1).mean()))


def run(out: Path, work: Path, contenders: tuple[Contender, ...] = (WIDE, NARROW, SMALL)) -> dict[str, Any]:
    samples = split(96, 1), split(32, 2)
    race(contenders, *samples, SHORT, one_draw=True, learning=LEARNING, seed=0, out=out, work=work)
    table: dict[str, Any] = json.loads((out / "race.json").read_text())
    return table


def test_rounds_have_fewer_contenders_and_longer_trainings() -> None:
    rounds = plan(12, replace(WHOLE, rounds=36), judged=425, folds=5)
    assert [one.contenders for one in rounds] == [12, 4, 2]
    assert [one.length.total for one in rounds] == [50, 150, 600]
    assert [one.folds for one in rounds] == [(0,), (1,), (2,)], "425 samples are enough to judge by"


def test_rounds_too_short_to_tell_anything_are_left_out() -> None:
    assert [one.contenders for one in plan(18, replace(WHOLE, steps=10, rounds=30), 425, 5)] == [6, 2]
    assert [one.contenders for one in plan(18, replace(WHOLE, steps=10, rounds=10), 425, 5)] == [2]
    assert plan(18, replace(WHOLE, steps=5, rounds=5), 425, 5) == []
    assert len(plan(18, replace(WHOLE, steps=5, rounds=5, patient=True), 425, 5)) == 3, "the spec says so many epochs"


def test_a_part_of_the_contenders_is_of_all_kinds() -> None:
    blocks = ("mobile", "mobile", "plain", "plain", "residual")
    every = [
        Contender(smallest(Space(0.2, square(16), 1, 3, 2, block)), macs=number, flash=number)
        for number, block in enumerate(blocks)
    ]
    assert [one.macs for one in by_turns(every)] == [2, 4, 0, 3, 1]


def test_a_race_of_many_samples_is_a_small_part_of_the_whole() -> None:
    rounds = plan(12, replace(WHOLE, steps=1000, rounds=26), judged=9000, folds=1)
    assert [one.length.total for one in rounds] == [200, 600, 2400], "7,200, not 26,000, in shares"


@pytest.mark.parametrize(("judged", "folds"), [(36, 5), (75, 4), (100, 3), (180, 2), (300, 1), (9000, 1)])
def test_finalists_are_judged_by_as_many_folds_as_it_takes(judged: int, folds: int) -> None:
    assert len(plan(12, WHOLE, judged=judged, folds=5)[-1].folds) == folds
    assert plan(12, WHOLE, judged=judged, folds=1)[-1].folds == (0,)


def test_two_contenders_meet_in_every_round_and_one_needs_none() -> None:
    assert [one.contenders for one in plan(2, WHOLE, 150, 5)] == [2, 2, 2]
    assert plan(1, WHOLE, 150, 5) == []


def test_folds_judge_by_each_sample_once_and_learn_from_all_others() -> None:
    numbers = np.arange(50, dtype=np.uint8)[:, None, None, None]
    train, val = Split(numbers[:40], np.arange(40) % 2), Split(numbers[40:], np.arange(40, 50) % 2)
    folds = _folds(train, val, seed=3)
    assert sorted(value for _, part in folds for value in part.x.ravel().tolist()) == list(range(50))
    for learned, judged in folds:
        assert sorted([*learned.x.ravel().tolist(), *judged.x.ravel().tolist()]) == list(range(50))
        assert np.bincount(judged.y).tolist() == [5, 5]


def test_of_two_that_validation_does_not_tell_apart_the_smaller_wins() -> None:
    best, alike, worse = judgement(0.5, 0.7, 0.9, 0.1), judgement(0.6, 0.6, 0.9, 0.15), judgement(0.6, 0.8, 1.0, 0.2)
    assert preferred([WIDE, NARROW], {WIDE: best, NARROW: alike}) == NARROW
    assert preferred([WIDE, NARROW], {WIDE: best, NARROW: worse}) == WIDE, "a tenth more on each sample is no accident"
    assert preferred([WIDE, NARROW, SMALL], {WIDE: best, NARROW: alike, SMALL: worse}) == NARROW


def test_a_race_tells_what_it_saw(tmp_path: Path) -> None:
    table = run(tmp_path, tmp_path / "work")
    names = {space.name: space for space in SPACES}
    assert read_space(tmp_path / "space.json") == names[table["winner"]]
    assert {row["name"] for row in table["rounds"] if row["round"] == 0} == set(names)
    assert all(row["samples"] >= 25 * row["folds"] and 0 <= row["accuracy"] <= 1 for row in table["rounds"])
    assert len([row for row in table["rounds"] if row["round"] == 2]) == 2
    run(tmp_path / "again", tmp_path / "other")
    assert (tmp_path / "again/race.json").read_bytes() == (tmp_path / "race.json").read_bytes()


def test_a_single_contender_wins_without_a_training(tmp_path: Path) -> None:
    only = replace(NARROW, neighbours=(SPACES[0],))
    assert run(tmp_path, tmp_path / "work", (only,)) == {"winner": SPACES[1].name, "rounds": []}
    assert read_space(tmp_path / "space.json") == SPACES[1]
    assert read_neighbours(tmp_path / "space.json") == (SPACES[0],)
    assert not (tmp_path / "work").exists()


def test_contenders_wait_in_a_file(tmp_path: Path) -> None:
    found = [WIDE, replace(NARROW, neighbours=(SPACES[0],))]
    write_contenders(found, tmp_path / "contenders.json")
    assert read_contenders(tmp_path / "contenders.json") == found


def test_the_last_training_has_all_samples_of_one_draw() -> None:
    train, val = split(20, 1), split(8, 2)
    both, judges = for_the_last_training(train, val, one_draw=True)
    assert judges is None and len(both) == 28 and both.y.tolist() == [*train.y, *val.y]
    assert for_the_last_training(train, val, one_draw=False) == (train, val)
