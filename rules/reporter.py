"""What the terminal shows while doit works: one line a stage, or a live table, and the summary of every build."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from doit.exceptions import InvalidCommand, TaskFailed, UnmetDependency
from doit.reporter import ConsoleReporter

from mcubuild.progress import close_pipe, open_pipe
from mcubuild.units import format_time
from rules.graph import BUILD, INTERRUPTED

if TYPE_CHECKING:  # rich is imported when the first stage runs: a build with nothing to do is to be quick
    from types import TracebackType

    from rules.live import Display

LOCK = BUILD / ".lock"


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

    def initialize(self, tasks: Any, selected_tasks: Any) -> None:
        """Refuse to run beside another build of this checkout.

        Raises:
            InvalidCommand: the other build's process id and the remedy.
        """
        self._lock: IO[str] = LOCK.open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise InvalidCommand(
                f"another build (process {self._lock.read().strip()}) is running in this checkout. Wait for it to end, "
                f"build several specs in one command (spec=a.toml,b.toml and -n 2), or use a second checkout."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

        sys.excepthook = _quiet_interrupt
        self._tasks, self._selected = tasks, selected_tasks
        live = self.outstream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        if live:  # before doit forks, so that stages in other processes can tell their progress too
            self._pipe = open_pipe()

    def _show(self, task: Any, what: str, seconds: float | None = None) -> None:
        """``task`` is now ``what``: in the table, or as a line."""
        stage, _, spec = task.name.partition(":")
        if not spec or not task.actions:
            return
        if self._display:
            self._display.set(task.name, what, seconds)
        elif stage != "build":
            time = "" if seconds is None else format_time(seconds)
            self._lines[task.name] = what, f"{spec:<15} {stage:<11} {what:<11} {time:>8}".rstrip() + "\n"
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
        """Show that a stage was built or came from the store, and in what time; or that a build keeps its budget."""
        if "origin" in task.values:
            what = {"built": "built", "store": "from store"}[task.values["origin"]]
            self._show(task, what, task.values["seconds"])
        self._judge(task, "cautions" if task.values.get("cautions") else "pass")

    def skip_uptodate(self, task: Any) -> None:
        """Show that a stage has nothing to do."""
        self._show(task, "up to date")

    def _judge(self, task: Any, what: str) -> None:
        """Summarise a build: at once, or, on a terminal, below the table."""
        stage, _, spec = task.name.partition(":")
        if stage == "build" and spec:
            self._show(task, what)
            self._judged.append(BUILD / spec)
            if self._pipe is None:
                self._summarise()

    def _summarise(self) -> None:
        from mcubuild.report.terminal import summarise

        for folder in self._judged:
            report = json.loads((folder / "report.json").read_text())
            summarise(report, folder, self.outstream, drawn=self._display is not None)
        self._judged.clear()

    def _write_failure(self, result: Any, write_exception: bool = True) -> None:
        task, failure = result["task"], result["exception"]
        if isinstance(failure, UnmetDependency):
            self._show(task, "not reached")
            return
        if isinstance(failure, TaskFailed):
            if task.name.startswith("build:"):
                self._judge(task, "over budget")
            elif self._display:
                self._show(task, "stopped" if failure.get_msg().strip() == INTERRUPTED else "failed")
            self._tell(f"\nERROR: {task.name}: {failure.get_msg().strip()}\n")
        else:
            if self._display:
                self._show(task, "failed")
            self._tell(f"{failure.get_name()} - taskid:{task.name}\n{failure.get_msg()}\n")

    def complete_run(self) -> None:
        """Leave the terminal as it was, with the summaries; show errors of the graph itself."""
        close_pipe()
        if self._display:
            self._display.stop()
        self._write_lines()
        self._summarise()
        for message in self.runtime_errors:
            self.write(f"\nERROR: {message}\n")


def _quiet_interrupt(kind: type[BaseException], error: BaseException, traceback: "TracebackType | None") -> None:
    """What Python shows of an error that ends it: of Ctrl-C, which doit does not handle, one line."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"\nERROR: {INTERRUPTED}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
