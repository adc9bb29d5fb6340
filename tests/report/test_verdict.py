from typing import Any

import pytest

from mcubuild.report import verdict
from mcubuild.report.model import BudgetLines

PASSING: dict[str, Any] = {"stack": 400, "stack_reserved": 2048, "mismatches": 0, "samples": 360}


def lines(
    sram: float = 90.0,
    flash: float = 90.0,
    latency: float | None = 90.0,
    limit: float | None = 100.0,
    energy: float | None = None,
    accuracy: float | None = None,
    strict: bool = False,
) -> BudgetLines:
    """All limited to ``limit``, but the energy only if it is known."""
    return BudgetLines(
        sram=verdict.limit(sram, limit, "B"),
        flash=verdict.limit(flash, limit, "B"),
        latency=verdict.limit(latency, limit, "ms", "emulated"),
        energy=verdict.limit(energy, None if energy is None else limit, "mJ", "modelled"),
        accuracy=verdict.limit(accuracy, None if accuracy is None else 0.9, "share", "emulated"),
        strict=strict,
    )


def test_a_limit_may_be_met_exactly() -> None:
    assert verdict.limit(100, 100, "B").ok
    assert not verdict.limit(101, 100, "B").ok
    assert verdict.limit(101, 100, "B").margin == -1


def test_no_limit_is_always_met() -> None:
    assert verdict.reasons(lines(latency=None, limit=None), **PASSING) == []


@pytest.mark.parametrize(
    ("changed", "title", "by"),
    [
        ("sram", "SRAM", "50 B (50.0%) over"),
        ("flash", "Flash", "50 B (50.0%) over"),
        ("latency", "Latency", "50.0 ms (50.0%) over"),
        ("energy", "Energy", "50 mJ (50.0%) over"),
    ],
)
def test_each_broken_limit_is_a_reason_with_the_amount(changed: str, title: str, by: str) -> None:
    values: dict[str, Any] = {changed: 150.0}
    (reason,) = verdict.reasons(lines(**values), **PASSING)
    assert reason.startswith(f"{title} is {by} its budget")


def test_everything_that_is_broken_is_said() -> None:
    assert len(verdict.reasons(lines(150, 150, 150), stack=3000, stack_reserved=2048, mismatches=1, samples=5)) == 5


def test_a_limit_that_cannot_be_checked_is_broken() -> None:
    (reason,) = verdict.reasons(lines(latency=None), **PASSING)
    assert "no cycle model" in reason


def test_a_stack_beyond_its_reservation() -> None:
    (reason,) = verdict.reasons(lines(), **{**PASSING, "stack": 2100})
    assert "52 B beyond the 2048 B" in reason
    assert verdict.reasons(lines(), **{**PASSING, "stack": 2048}) == []


def test_predictions_that_differ_from_the_reference() -> None:
    (reason,) = verdict.reasons(lines(), **{**PASSING, "mismatches": 3})
    assert "3 of 360 samples" in reason


CLEAN: dict[str, Any] = {
    "uncertainty": 0.2,
    "samples": 360,
    "available": 360,
    "promised": 5000,
    "linked": 5000,
    "clock_hz": 10**8,
}


def test_a_latency_limit_inside_the_uncertainty_is_cautioned() -> None:
    (caution,) = verdict.cautions(lines(latency=90), **CLEAN)
    assert "72.0 ms to 108.0 ms" in caution
    assert verdict.cautions(lines(latency=50), **CLEAN) == []
    assert verdict.cautions(lines(latency=90), **{**CLEAN, "uncertainty": None}) == []
    (caution,) = verdict.cautions(lines(latency=50, energy=90), **CLEAN)
    assert "energy limit of 100 mJ" in caution and "72 mJ to 108 mJ" in caution
    # Also where the model says that the limit is broken.
    assert verdict.cautions(lines(latency=110), **CLEAN)


def test_a_part_of_the_test_split_is_cautioned() -> None:
    (caution,) = verdict.cautions(lines(latency=50), **{**CLEAN, "samples": 100})
    assert caution == "The firmware classified 100 of the 360 test samples"


def test_a_broken_promise_of_the_planner_is_cautioned() -> None:
    (caution,) = verdict.cautions(lines(latency=50), **{**CLEAN, "linked": 5032})
    assert "promised 5000 B SRAM, the linked firmware takes 5032 B" in caution
