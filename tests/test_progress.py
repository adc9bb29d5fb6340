"""Bars inside each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from mcubuild.progress import Abandoned, bar, expecting, part_of


def test_parts_count_in_the_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcubuild.progress._SECONDS_BETWEEN_LINES", 0)
    with bar("job", 10) as whole:
        with part_of(whole)(5, 3) as one:
            one.advance(2)
        with part_of(whole)(5, 0) as other:
            other.advance(loss=0.5)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["  job: 3/10", "  job: 5/10", "  job: 6/10"]
    assert lines[-1].endswith("loss 0.5")


def test_what_works_for_a_job_that_is_over_ends() -> None:
    begun = Event()

    def work() -> None:
        while True:
            whole.advance()
            begun.set()

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt), bar("job", 10) as whole:
        working = executor.submit(work)
        begun.wait()
        raise KeyboardInterrupt
    assert isinstance(working.exception(), Abandoned)


def told_of(
    monkeypatch: pytest.MonkeyPatch, expected: float, step: float, done: int = 0, title: str = "job"
) -> list[float]:
    """What is told of a job of 100 steps, each of ``step`` seconds, after a minute of preparation."""
    now, found = 0.0, list[float]()
    monkeypatch.setattr("mcubuild.progress.time.monotonic", lambda: now)
    with (
        expecting("job", expected, lambda seconds, left: found.extend((seconds, left))),
        bar(title, 100, done) as shown,
    ):
        now += 60
        for _ in range(done, 100):
            now += step
            shown.advance()
    return found


def test_a_job_that_takes_another_time_than_expected_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_of(monkeypatch, expected=100, step=2) == pytest.approx([200, 188]), "after 6 of 100 steps"
    assert told_of(monkeypatch, expected=400, step=2) == pytest.approx([200, 188])
    assert told_of(monkeypatch, expected=100, step=2, done=50) == pytest.approx([200, 88])
    assert told_of(monkeypatch, expected=170, step=2) == [], "15 % off"
    assert told_of(monkeypatch, expected=2, step=0.09) == [], "a matter of seconds"
    assert told_of(monkeypatch, expected=100, step=2, done=95) == [], "it is nearly over"
    assert told_of(monkeypatch, expected=100, step=2, title="other") == []


def test_what_was_expected_of_one_job_is_not_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with expecting("job", 1e9, lambda seconds, left: pytest.fail("it is over")):
        pass
    with bar("job", 10) as shown:
        for _ in range(10):
            shown.advance()
