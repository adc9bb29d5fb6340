"""Progress of anything that takes more than two seconds: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from mcubuild.units import format_time

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 10.0


class Bar(Protocol):
    """What a long job tells while it works."""

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """Report ``steps`` more steps done and the latest ``figures`` (loss, accuracy, ...)."""


@contextmanager
def bar(title: str, total: int, done: int = 0) -> Iterator[Bar]:
    """A progress display of ``total`` steps, ``done`` of which an earlier, interrupted run has finished.

    On a terminal: a bar with the latest figures and the time left. Elsewhere (CI, a log file): a line every ten
    seconds.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("  {task.description:<14}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as display:
            yield _RichBar(display, display.add_task(title, total=total, completed=done, figures=""))
    else:
        yield _LineBar(title, total, done)


def _format(figures: dict[str, float | str]) -> str:
    return "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())


class _RichBar:
    def __init__(self, display: "Progress", task: "TaskID") -> None:
        self._display, self._task = display, task

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        if figures:
            self._display.update(self._task, advance=steps, figures=_format(figures))
        else:
            self._display.update(self._task, advance=steps)


class _LineBar:
    def __init__(self, title: str, total: int, done: int) -> None:
        self._title, self._total, self._done, self._begun_at = title, total, done, done
        self._start = self._last = time.monotonic()

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        left = (now - self._start) / max(self._done - self._begun_at, 1) * (self._total - self._done)
        line = f"  {self._title}: {self._done}/{self._total}, {format_time(left)} left  {_format(figures)}"
        print(line.rstrip(), file=sys.stderr, flush=True)
