"""The live table: what it says of each stage, and what stages in other processes tell it."""

import io
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from doit import Globals
from doit.task import Task

from mcubuild import progress
from rules.live import Display, planned
from rules.reporter import StageReporter
from tests.e2e.checkout import Checkout

TASKS = [f"{stage}:{spec}" for stage in ("dataset", "supernet", "build") for spec in ("one", "two")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> tuple[Display, Terminal]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    return Display(TASKS, out, progress.open_pipe()), out


def plain(out: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


@pytest.mark.parametrize("lines", [30, 4])
def test_states_progress_and_printed_lines(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    display, out = show(monkeypatch, 100, lines)
    try:
        display.start()
        display.set("dataset:one", "up to date")
        display.set("supernet:one", "running")
        with progress.reporting("supernet:one"), progress.bar("supernet", 200) as bar:
            monkeypatch.setattr("mcubuild.progress._SECONDS_BETWEEN_MESSAGES", 0)
            bar._pause = 0  # type: ignore[attr-defined]
            bar.advance(50, loss=0.5)
            print("a line of a stage, " + 100 * "long")
            for _ in range(50):  # until it was drawn, however busy the machine is
                if "25 %" in plain(out) or display._stopping.wait(0.2):
                    break
    finally:
        progress.close_pipe()
        display._stopping.wait(0.4)
        display.stop()
    text = plain(out)
    assert "25 %" in text and "stopped" in text and "a line of a stage" in text
    assert text.count(100 * "long") == 1
    assert ("waiting" in text) == (lines == 30 or "two" in text)
    assert out.getvalue().count("\x1b[?25l") == out.getvalue().count("\x1b[?25h") == 1


def test_builds_that_are_chosen_join_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    display, out = show(monkeypatch, 120, 30)
    try:
        display.start()
        display.set("dataset:one", "built", 3)
        display.set("train:chosen", "running")  # of no table yet
        display.show([*TASKS, "train:chosen"])
        display.set("train:chosen", "built", 5)
    finally:
        progress.close_pipe()
        display.stop()
    last = plain(out).split("chosen")[-1]
    assert "train" in last and "3.0 s" in last and "5.0 s" in last


def test_a_comparison_on_a_terminal_shows_what_it_chose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("build").mkdir()
    chosen = Task("train:net-baselines-resnet8-layerwise", [lambda: None])
    choice = Task("baselines:net/choice", [lambda: None])
    compares = Task("baselines:net", [lambda: None], calc_dep=[choice.name], task_dep=["train:net"])
    known = {task.name: task for task in (Task("train:net", [lambda: None]), chosen, choice, compares)}
    assert planned(known, [compares.name]) == ["train:net", compares.name]
    for out in (Terminal(), io.StringIO()):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(Globals, "dep_manager", SimpleNamespace(close=lambda: None))
        reporter = StageReporter(out, {})
        reporter.initialize(known, [compares.name])
        try:
            for task, values in (
                (known["train:net"], {"origin": "built", "seconds": 1.0}),
                (choice, {"task_dep": [chosen.name]}),
                (chosen, {"origin": "built", "seconds": 2.0}),
            ):
                reporter.execute_task(task)
                task.values = values
                reporter.add_success(task)
        finally:
            reporter.complete_run()
            reporter._lock.close()
        if out.isatty():
            assert "resnet8" in plain(out).split("waiting")[-1] or "2.0 s" in plain(out)
        else:
            one, other = out.getvalue().splitlines()
            assert one.index("train ") == other.index("train "), "columns stay, however long the names are"


def test_of_bars_inside_each_other_only_the_outermost_is_shown() -> None:
    end = progress.open_pipe()
    try:
        with progress.bar("outer", 3), progress.bar("inner", 500) as inner:
            inner.advance(499)
        with progress.bar("next", 7):
            pass
    finally:
        progress.close_pipe()
    with os.fdopen(end) as pipe:
        assert [json.loads(line)["total"] for line in pipe] == [3, 7]


def test_an_error_is_shown_completely(monkeypatch: pytest.MonkeyPatch) -> None:
    display, out = show(monkeypatch, 60, 24)
    display.start()
    message = "\n".join(f"line {number} of [a] traceback {'x' * 80}" for number in range(40))
    display.print(message)
    progress.close_pipe()
    display.stop()
    assert message in plain(out)


def test_nobody_listens_and_a_display_that_does_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reporting("supernet:one"):
        print("plain")
    assert capsys.readouterr().out == "plain\n"
    end = progress.open_pipe()
    try:
        with progress.reporting("supernet:one"):
            for _ in range(5000):
                print("more than a pipe holds; it must not block")
    finally:
        progress.close_pipe()
        os.close(end)


def test_a_build_on_a_terminal(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        checkout.command("dataset"),
        cwd=checkout.path,
        env=checkout.environment(TERM="xterm", COLUMNS="80", LINES="24"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
    assert process.wait() == 0
    assert b"running" in shown and "✓".encode() in shown and b"built" in shown
    assert shown.endswith(b"\x1b[?25h") or shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
