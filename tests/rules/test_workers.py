"""Processes for stages, one of which was stopped."""

import pickle
from typing import Any

import pytest
from doit.exceptions import InvalidTask

from rules.workers import KILLED, _job


@pytest.mark.parametrize("content", [b"", b"\x80", b"text", pickle.dumps([1, 2])[:-3]])
def test_the_rest_of_what_another_process_was_reading_is_no_job(content: bytes) -> None:
    def get() -> Any:
        return pickle.loads(content)

    with pytest.raises(InvalidTask, match=KILLED[:40]):
        _job(get)


def test_a_job_is_passed_on() -> None:
    assert _job(lambda: "job") == "job"
