"""How long a build takes: what is timed, what it is multiplied by, and how it is told."""

import pytest

from mcubuild.board import read_board
from mcubuild.data.splits import Index
from mcubuild.nas import forecast
from mcubuild.nas.forecast import Amounts, Part, Rates, corrected, published, raced, rates, searched, told
from mcubuild.nas.space.family import Family
from mcubuild.spec.spec import Spec
from tests.nas.toy import LEARNING, SPACE, split

BOARD = read_board("stm32f412")
TRAIN, VAL = split(100, 1), split(20, 2)


def spec(**values: object) -> Spec:
    settings = {"batch": 10, "epochs": 3}
    common = {"task": "image_classification", "dataset": "digits", "board": "stm32f412"}
    return Spec.model_validate({"name": "net", **common, "supernet": settings, "finetune": settings, **values})


def timed(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Each kind of work runs once and then takes ``seconds``."""
    monkeypatch.setattr(forecast, "_each", lambda work: (work(), seconds)[1])


def working(monkeypatch: pytest.MonkeyPatch, asked: Spec) -> Rates:
    timed(monkeypatch, 2.0)
    monkeypatch.setattr(forecast, "_cores", lambda: 2)
    return rates(asked, BOARD, Family(SPACE), TRAIN, VAL, LEARNING)


def test_a_search_is_steps_epochs_and_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spec(search={"population": 4, "generations": 2, "parents": 2})
    found = working(monkeypatch, asked)
    parts = {part.stage: part for part in searched(asked, found, Amounts(100, 20, 50, one_draw=False))}
    assert list(parts) == ["supernet", "search", "finetune", "accuracy", "measure"]
    # 3 epochs of 10 steps and one judgement, each of 2 s.
    assert parts["supernet"].seconds == 3 * (10 + 1) * 2
    # 4 networks in 2 generations by two methods and 4 at first; 4 are judged in 2 s.
    assert parts["search"].seconds == pytest.approx(20 * 2 / 4, rel=0.3), "and some time to draw them"
    # 2 s are the 2 steps of an epoch of 20 samples; 3 epochs have 10 each, and judge 2 batches at a third.
    assert parts["finetune"].seconds == pytest.approx(3 * (10 + 2 / 3))
    assert 0 < parts["measure"].seconds < 1


def test_validation_samples_of_one_draw_are_learned_from_and_judge_nothing_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = spec()
    parts = searched(asked, working(monkeypatch, asked), Amounts(100, 20, 50, one_draw=True))
    assert next(part for part in parts if part.stage == "finetune").seconds == pytest.approx(3 * 12)


def test_a_forecast_grows_with_the_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a time has one factor: each kind of work is timed once."""
    asked = Spec.model_validate(
        {"name": "net", "task": "image_classification", "dataset": "digits", "board": "stm32f412"}
    )
    found, amounts = working(monkeypatch, asked), Amounts(900, 180, 50, one_draw=True)

    def whole(factor: float) -> float:
        parts = [raced(asked, 9, 1.0, amounts, factor), *searched(asked, found, amounts, factor)]
        return sum(part.seconds for part in parts)

    times = [whole(2.0**power) for power in range(-6, 5)]
    assert times == sorted(times)
    assert times[-1] > 100 * times[0]


def test_a_race_waits_for_its_last_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_cores", lambda: 2)
    amounts = Amounts(64_000, 20_000, 0, one_draw=False)
    # 5, 2 and 2 trainings by two at a time, of 200, 600 and 2,400 steps of 64 samples; 1,024 samples that set each
    # network's batch norm and 2,500 that judge it take a third of a step's time.
    judging = (1024 + 2500) / 64 / 3
    assert raced(spec(supernet={}, finetune={}), 5, 0.1, amounts).seconds == pytest.approx(
        0.1 * (3 * (200 + judging) + 600 + judging + 2400 + judging), rel=0.01
    )


def test_a_single_size_of_a_published_network_does_not_compete(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 2.0)
    index = Index("toy", "image_classification", ("a", "b", "c"), 8, 12, 1)
    sizes = {"widths": [0.2, 0.3], "resolutions": [8, 12]}
    one = {
        part.stage: part
        for part in published(spec(arch="resnet8", space=sizes), BOARD, index, TRAIN, VAL, 50, LEARNING)
    }
    assert list(one) == ["train", "accuracy", "measure"], "the largest size exceeds all others"
    assert one["train"].seconds == pytest.approx(6 * (10 + 2 / 3))


def test_the_time_of_the_rest_is_told_with_what_shortens_the_longest_part() -> None:
    parts = [
        Part("supernet", 90, ("supernet.epochs",)),
        Part("search", 25, ("search.generations",)),
        Part("finetune", 4.9, ()),
    ]
    assert told(parts) == (
        "about 119.9 s to go on this machine: supernet 90.0 s, search 25.0 s, finetune 4.9 s. "
        "Shorter: lower supernet.epochs."
    )
    assert told(parts, "search").endswith("search 25.0 s, finetune 4.9 s. Shorter: lower search.generations.")
    assert told([Part("search", 0.3, ("search.generations",))]) == ""


def test_a_stage_that_takes_another_time_is_told_with_what_is_left_of_all() -> None:
    parts = [
        Part("space", 9, ()),
        Part("supernet", 90, ("supernet.epochs",)),
        Part("search", 25, ("search.generations",)),
    ]
    assert corrected(parts, "supernet", 150, 120) == (
        "supernet takes 2.5 min in all, not 90.0 s, as its first steps show: about 2.4 min to go on this machine: "
        "supernet 2.0 min, search 25.0 s. Shorter: lower supernet.epochs."
    )
    assert corrected(parts, "search", 0.9, 0.8).endswith(
        "not 25.0 s, as its first steps show: less than a second to go."
    )
