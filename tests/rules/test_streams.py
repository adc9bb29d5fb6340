"""Output that nobody takes, or that has no such character, ends in no traceback."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcubuild import ROOT

PROGRAM = """
import sys
from rules import streams
streams.set_up(lists={lists})
for number in range({lines}):
    print(number, "\\u2713 \\udcff" if number == 0 else "x" * 100)
print("end", file=sys.stderr)
"""


def shell(command: str, lists: bool = False, lines: int = 1, **environment: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(lists=lists, lines=lines)
    return subprocess.run(
        ["bash", "-c", f'"$1" -c "$2" {command}; echo codes ${{PIPESTATUS[*]}} >&2', "bash", sys.executable, program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "0 \u2713 \\udcff"), ("ascii", "0 \\u2713 \\udcff"), ("latin-1", "0 \\u2713 \\udcff")],
)
def test_characters_that_the_encoding_lacks(encoding: str, shown: str) -> None:
    done = shell("", PYTHONIOENCODING=encoding)
    assert done.stdout == f"{shown}\n" and done.stderr == "end\ncodes 0\n"


@pytest.mark.parametrize("command", [">&-", "> /dev/full", "<&- >&-"])
def test_stdout_that_takes_nothing(command: str) -> None:
    assert shell(command, lines=3).stderr == "end\ncodes 0\n"


def test_everything_is_closed() -> None:
    assert shell(">&- 2>&- <&-").stderr == "codes 0\n"


def test_a_reader_that_has_gone() -> None:
    done = shell("| head -1", lines=5000)
    assert done.stderr == "end\ncodes 0 0\n", "work goes on"
    done = shell("| head -1", lines=5000, lists=True)
    assert done.stderr == "codes 141 0\n", "a list ends, as those of other programs do"


def test_a_list_with_nowhere_to_go() -> None:
    done = shell(">&-", lists=True)
    assert "stdout is closed" in done.stderr and "codes 1" in done.stderr
    for lines in (1, 5000):
        done = shell("> /dev/full", lists=True, lines=lines)
        assert done.stderr == (
            "ERROR: stdout cannot be written (No space left on device); make room, or write elsewhere.\ncodes 3\n"
        )


def test_files_do_not_become_streams(tmp_path: Path) -> None:
    program = (
        f"import sys\nfrom rules import streams\nstreams.set_up(False)\nopen({str(tmp_path / 'a')!r}, 'w').write('in')"
    )
    subprocess.run(["bash", "-c", '"$1" -c "$2" >&- 2>&-', "bash", sys.executable, program], cwd=ROOT, check=True)
    assert (tmp_path / "a").read_text() == "in"


def test_an_interrupt_that_a_callback_drops_comes_once_more() -> None:
    program = """
import os, signal, time, weakref
from rules.streams import set_up

set_up(False)

class Thing:
    pass

thing = Thing()
watch = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
del thing
time.sleep(20)
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "interrupted" in done.stderr and "ignored" not in done.stderr, done.stderr
    assert time.monotonic() - began < 15
