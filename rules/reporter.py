"""What the terminal shows while doit works: one line a stage, with what was done about it."""

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from doit.exceptions import InvalidCommand, TaskFailed, UnmetDependency
from doit.reporter import ConsoleReporter

from mcubuild.units import format_time

LOCK = Path("build/.lock")


class StageReporter(ConsoleReporter):  # type: ignore[misc]
    """Lines such as ``quickstart  search  built  21.4 s``; a problem of the user's is shown without a traceback."""

    desc = "one line a stage"

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

    def _line(self, task: Any, what: str, time: str = "") -> None:
        stage, _, spec = task.name.partition(":")
        if spec and task.actions and stage != "build":
            self.write(f"{spec:<16}{stage:<12}{what:<12}{time:>8}\n".rstrip() + "\n")

    def execute_task(self, task: Any) -> None:
        """Show that a stage begins."""

    def add_success(self, task: Any) -> None:
        """Show that a stage was built or came from the store, and in what time."""
        if "origin" in task.values:
            what = {"built": "built", "store": "from store"}[task.values["origin"]]
            self._line(task, what, format_time(task.values["seconds"]))

    def skip_uptodate(self, task: Any) -> None:
        """Show that a stage has nothing to do."""
        self._line(task, "up to date")

    def _write_failure(self, result: Any, write_exception: bool = True) -> None:
        task, failure = result["task"], result["exception"]
        if isinstance(failure, UnmetDependency):
            self._line(task, "not reached")
        elif isinstance(failure, TaskFailed):
            self.write(f"\nERROR: {task.name}: {failure.get_msg().strip()}\n")
        else:
            super()._write_failure(result, write_exception)

    def complete_run(self) -> None:
        """Show errors of the graph itself; failures were shown when they happened."""
        for message in self.runtime_errors:
            self.write(f"\nERROR: {message}\n")
