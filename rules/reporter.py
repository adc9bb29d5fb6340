"""What the terminal shows while doit works: one line a stage, or a live table, and the summary of every build."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from doit import Globals
from doit.exceptions import TaskFailed, UnmetDependency
from doit.reporter import ConsoleReporter

from mcubuild.errors import printable
from mcubuild.progress import close_pipe, open_pipe
from mcubuild.units import format_time
from rules import matrix
from rules.commands.plan import READING
from rules.execute import sweep
from rules.known import FILES
from rules.lock import hold_lock
from rules.memory import forget_success
from rules.stage import BUILD
from rules.streams import INTERRUPTED

if TYPE_CHECKING:  # rich is imported when the first stage runs: a build with nothing to do is to be quick
    from rules.live import Display

_WIDTH = 15
"""Least characters of the column with builds' names."""


class StageReporter(ConsoleReporter):  # type: ignore[misc]
    """Lines such as ``quickstart  search  built  21.4 s``; a problem of the user's is shown without a traceback.

    On a terminal the lines become a live table (``rules.live``) as soon as a stage runs.
    """

    desc = "one line a stage, a live table on a terminal"

    def __init__(self, outstream: Any, options: Any) -> None:
        super().__init__(outstream, options)
        self._pipe: int | None = None
        self._display: Display | None = None
        self._lines: dict[str, tuple[str, str]] = {}
        """What a terminal is to show: kept until it is clear whether a table will."""
        self._judged: list[Path] = []
        self._made, self._failed = set[str](), set[str]()
        """Builds that have a report now, and those that could not be made."""
        self._tasks: Mapping[str, Any] = {}
        """None where another build is running."""
        self._selected, self._width = list[str](), _WIDTH
        self._noted = True
        self._built = False

    def initialize(self, tasks: Any, selected_tasks: Any) -> None:
        """Refuse to run beside another build of this checkout, unless nothing is to be built; sweep up after dead ones.

        Raises:
            InvalidCommand: the other build's process id and the remedy.
        """
        if {name.partition(":")[0] for name in selected_tasks} <= READING:
            forget_success()
        else:
            self._lock: IO[str] = hold_lock()
            sweep(BUILD)

        manager = Globals.dep_manager
        manager.close = partial(self._close, manager.close)
        self._tasks, self._selected = tasks, [*selected_tasks]
        self._width = max([_WIDTH, *(len(name.partition(":")[2]) for name in tasks)])
        live = self.outstream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        if live:  # before doit forks, so that stages in other processes can tell their progress too
            self._pipe = open_pipe()

    def _close(self, close: Callable[[], None]) -> None:
        """Let doit note what was done, where there is room for it; a build that did anything has time to tidy up."""
        if self._built:
            FILES.prune()
        try:
            close()
        except (OSError, sqlite3.Error) as error:
            self._noted = False
            self.runtime_error(
                f"{BUILD}/: what was done cannot be noted ({error}); make room. The next build asks the store for it."
            )

    def _show(self, task: Any, what: str, seconds: float | None = None) -> None:
        """``task`` is now ``what``: in the table, or as a line."""
        stage, _, spec = task.name.partition(":")
        if not spec or not task.actions:
            return
        if self._display:
            self._display.set(task.name, what, seconds)
        elif stage not in ("build", *READING):
            time = "" if seconds is None else format_time(seconds)
            self._lines[task.name] = what, f"{spec:<{self._width}} {stage:<11} {what:<11} {time:>8}".rstrip() + "\n"
            if self._pipe is None:
                self._write_lines()

    def _write_lines(self) -> None:
        for _, line in self._lines.values():
            self.write(line)
        self._lines.clear()

    def _tell(self, text: str) -> None:
        if self._display:
            self._display.print(text)
        else:
            self._write_lines()
            self.write(text)

    def execute_task(self, task: Any) -> None:
        """Show that a stage begins; the first one on a terminal starts the table."""
        stage, _, spec = task.name.partition(":")
        if self._pipe is None or not spec or stage == "build":
            return
        if self._display is None:
            from rules.live import Display, planned

            self._display = Display(planned(self._tasks, self._selected), self.outstream, self._pipe)
            for name, (what, _) in self._lines.items():
                self._display.set(name, what)
            self._lines.clear()
            self._display.start()
        self._display.set(task.name, "running")

    def add_success(self, task: Any) -> None:
        """Show that a stage was built or came from a store, and in what time; or that a build keeps its budget."""
        if "origin" in task.values:
            self._built = True
            what = {"built": "built", "store": "from store", "shared": "from shared"}[task.values["origin"]]
            self._show(task, what, task.values["seconds"])
        if "task_dep" in task.values:  # what was chosen among builds is part of the table from now on
            self._selected += task.values["task_dep"]
            if self._display:
                from rules.live import planned

                self._display.show(planned(self._tasks, self._selected))
        self._judge(task, "cautions" if task.values.get("cautions") else "pass")

    def skip_uptodate(self, task: Any) -> None:
        """Show that a stage has nothing to do."""
        self._show(task, "up to date")

    def skip_ignore(self, task: Any) -> None:
        """Show that a stage is left out: its network does not fit, or the user has said so (``doit ignore``)."""
        self._show(task, "left out")

    def _judge(self, task: Any, what: str) -> None:
        """Summarise a build: at once, or, on a terminal, below the table."""
        stage, _, spec = task.name.partition(":")
        if stage == "build" and spec:
            self._show(task, what)
            self._made.add(spec)
            self._judged.append(BUILD / spec)
            if self._pipe is None:
                self._summarise()

    def _summarise(self) -> None:
        from mcubuild.report.terminal import summarise

        for folder in self._judged:
            report = json.loads((folder / "report.json").read_text())
            summarise(report, folder, self.outstream, drawn=self._display is not None)
        self._judged.clear()

    def add_failure(self, task: Any, fail: Any) -> None:
        """Show why a stage failed; others go on, but for an interrupt, which means them all.

        Raises:
            SystemExit: the user has interrupted the stage.
        """
        super().add_failure(task, fail)
        if isinstance(fail, TaskFailed) and fail.get_msg().strip() == INTERRUPTED:
            raise SystemExit(128 + signal.SIGINT)

    def _compare(self) -> None:
        """Show builds of one spec beside each other, where all of them were asked for."""
        several: dict[tuple[str, str], dict[str, Any]] = {}
        for name, task in self._tasks.items():
            if name.startswith("build:") and task.meta:
                several.setdefault(task.meta["of"], {})[name.partition(":")[2]] = task.meta["chosen"]
        for of, builds in several.items():
            if self._made & builds.keys() and builds.keys() <= self._made | self._failed:
                matrix.show(*of, builds, self._made, self.outstream)

    def _write_failure(self, result: Any, write_exception: bool = True) -> None:
        task, failure = result["task"], result["exception"]
        if task.name.startswith("build:"):
            self._failed.add(task.name.partition(":")[2])
        if isinstance(failure, UnmetDependency):
            self._show(task, "not reached")
            return
        if isinstance(failure, TaskFailed):
            if task.name.startswith("build:") and task.file_dep:  # there is a report, which is judged
                self._judge(task, "over budget")
            elif self._display:
                self._show(task, "stopped" if failure.get_msg().strip() == INTERRUPTED else "failed")
            self._tell(f"\nERROR: {printable(task.name)}: {failure.get_msg().strip()}\n")
        else:
            if self._display:
                self._show(task, "failed")
            self._tell(f"{failure.get_name()} - taskid:{printable(task.name)}\n{failure.get_msg()}\n")

    def complete_run(self) -> None:
        """Leave the terminal as it was, with the summaries; show errors of the graph itself.

        Raises:
            SystemExit: tasks failed and nothing else, of which doit would tell those that depend on them; or what was
                done could not be noted.
        """
        close_pipe()
        if self._display:
            self._display.stop()
        self._write_lines()
        self._summarise()
        self._compare()
        for message in self.runtime_errors:
            self.write(f"\nERROR: {message}\n")
        told = [failure["exception"] for failure in self.failures]
        failed = bool(told) and all(isinstance(one, TaskFailed | UnmetDependency) for one in told)
        if (failed or not self._noted) and sys.exc_info()[0] is None:
            raise SystemExit(1)
