"""Bars inside each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from mcubuild.progress import Abandoned, bar, part_of


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
