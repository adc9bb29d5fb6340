"""How long trainings are."""

import pytest

from mcubuild.nas.training.length import ALONE, Length, Pace, batch_for, length_of
from mcubuild.spec.finetune import FinetuneSettings

ASKED = FinetuneSettings()


def falling(*losses: float) -> list[dict[str, float]]:
    return [{"val_loss": loss} for loss in losses]


@pytest.mark.parametrize(("samples", "batch"), [(60, 16), (600, 16), (900, 16), (1700, 32), (3100, 64), (50_000, 64)])
def test_batches_suit_the_amount(samples: int, batch: int) -> None:
    assert batch_for(ASKED, samples) == batch
    assert batch_for(FinetuneSettings(batch=24), samples) == 24


@pytest.mark.parametrize(
    ("epoch", "steps"),
    [(1, 100), (9, 100), (20, 120), (100, 600), (200, 1000), (1000, 2000)],
    ids=["floor", "floor still", "passes", "more passes", "ceiling", "a third of the passes"],
)
def test_steps_follow_from_the_amount(epoch: int, steps: int) -> None:
    assert Pace(passes=6, floor=100, ceiling=1000).steps(epoch) == steps


def test_what_two_trainings_take_is_their_sum() -> None:
    assert Pace(1, 10, 100) + Pace(2, 30, 300) == Pace(3, 40, 400)
    assert Pace(2, 30, 300) * 0.4 == Pace(0.8, 12, 120)


@pytest.mark.parametrize("samples", [30, 600, 1700, 50_000])
def test_there_are_some_forty_rounds_of_whole_passes(samples: int) -> None:
    length = length_of(ASKED, ALONE, samples)
    assert 8 <= length.rounds <= 60
    assert length.steps % max(1, samples // length.batch) == 0
    assert ALONE.floor <= length.total < ALONE.floor + ALONE.ceiling


def test_a_training_of_less_than_a_few_passes_has_rounds_of_parts_of_a_pass() -> None:
    assert length_of(ASKED, ALONE * 0.01, 1000) == Length(batch=16, steps=3, rounds=7, patient=False)


def test_epochs_of_the_spec_are_run_whatever_validation_says() -> None:
    length = length_of(FinetuneSettings(epochs=10, batch=10), ALONE, 100)
    assert length == Length(batch=10, steps=10, rounds=10, patient=True)
    assert length.ends(falling(1.0, *[2.0] * 9)) == (70, 100)


def test_training_ends_soon_after_validation_has_stopped_improving() -> None:
    length = Length(batch=10, steps=10, rounds=30, patient=False)
    assert length.ends(falling(*range(30, 0, -1))) == (210, 300)
    assert length.ends([]) == (210, 300)
    # Not before a third of the rounds; then a quarter of those so far may bring nothing.
    assert length.ends(falling(1.0, *[2.0] * 29)) == (100, 150)
    assert length.ends(falling(*range(12, 0, -1), *[5.0] * 18)) == (170, 250)
    log = falling(*range(12, 0, -1), *[5.0] * 18)
    assert {length.ends(log[:done]) for done in range(17, 26)} == {(170, 250)}, "what was decided stays so"


def test_the_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    length = Length(batch=32, steps=10, rounds=10, patient=True)
    rates = [length.rate(0.5, step, []) for step in range(100)]
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    assert rates[10:71] == [0.5] * 61
    assert rates[70:] == pytest.approx([0.5 * (100 - step) / 30 for step in range(70, 100)])
    assert Length(batch=16, steps=10, rounds=10, patient=True).rate(0.5, 20, []) == 0.25, "of a small batch"


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_the_learning_rate_falls_in_trainings_of_few_rounds_too(rounds: int) -> None:
    length = Length(batch=32, steps=100, rounds=rounds, patient=True)
    rates = [length.rate(0.5, step, []) for step in range(length.total)]
    assert rates.count(0.5) == pytest.approx(0.6 * length.total, abs=3) and rates[-1] < 0.02


def test_where_training_ends_early_the_rate_falls_early() -> None:
    length = Length(batch=64, steps=10, rounds=30, patient=False)
    log = falling(1.0, *[2.0] * 9)
    rates = [length.rate(0.5, step, log) for step in range(100, 150)]
    assert rates == pytest.approx([0.5 * (150 - step) / 50 for step in range(100, 150)])
