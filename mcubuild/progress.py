"""Progress of anything that takes more than two seconds: to a display that listens, or a line now and then."""

import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol, TypeAlias

from mcubuild.units import format_time

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_MESSAGES = 0.1
_ENOUGH = (0.05, 10.0)
"""Share of a job's steps, and seconds of them, after which its time is compared with what was expected of it: a
training has been judged by then, and what else the machine does has evened out."""
_DIFFERENCE = 0.2
"""Of what was expected: less is not worth a line."""
_LONGEST_TEXT = 800
"""Characters of a message: below PIPE_BUF, so that what several processes write at once does not mix."""


class Abandoned(Exception):  # noqa: N818 (nothing went wrong where it is raised)
    """The job is over, on an error perhaps: what works for it in another thread should end, too."""


class Bar(Protocol):
    """What a long job tells while it works."""

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """Report ``steps`` more steps done and the latest ``figures`` (loss, accuracy, ...), from any thread.

        Raises:
            Abandoned: the bar is gone.
        """


Progress: TypeAlias = Callable[[int, int], AbstractContextManager[Bar]]
"""Opens the bar of a job, given its steps and how many of them an earlier, interrupted run has finished."""


@dataclass(frozen=True)
class _Expected:
    title: str
    seconds: float
    differs: Callable[[float, float], None]


_expected: _Expected | None = None


@contextmanager
def expecting(title: str, seconds: float, differs: Callable[[float, float], None]) -> Iterator[None]:
    """The bar ``title`` should meanwhile take ``seconds``.

    Args:
        title: of the bar.
        seconds: by a forecast.
        differs: called once, where the first steps show another time, with the seconds that all of the steps will take
            and those that are left.
    """
    global _expected
    _expected = _Expected(title, seconds, differs)
    try:
        yield
    finally:
        _expected = None


@contextmanager
def bar(title: str, total: int, done: int = 0) -> Iterator[Bar]:
    """Progress of ``total`` steps, ``done`` of which an earlier, interrupted run has finished.

    Of bars inside each other only the outermost is shown.

    It goes to the display, if there is one (``open_pipe``). Otherwise (CI, a log file): a line every ten seconds.
    """
    global _shown
    if _shown:
        yield _Bar(total, done, lambda state: None, math.inf)
        return
    _shown = True
    expected = _expected if _expected and _expected.title == title else None
    if _pipe is None:
        shown = _Bar(total, done, lambda state: _print(title, state), _SECONDS_BETWEEN_LINES, expected)
    else:
        _send(**vars(_State(done, total, None, "")))
        shown = _Bar(total, done, lambda state: _send(**vars(state)), _SECONDS_BETWEEN_MESSAGES, expected)
    try:
        yield shown
    finally:
        shown.gone = True
        _shown = False


def part_of(whole: Bar) -> Progress:
    """Progress of a part of a job as that of the ``whole``, whose total counts the part's steps."""

    @contextmanager
    def opened(total: int, done: int) -> Iterator[Bar]:
        if done:
            whole.advance(done)
        yield whole

    return opened


def hide_bars() -> None:
    """Show no bar of this process from now on: it works for another one, whose bar counts."""
    global _shown
    _shown = True


@dataclass(frozen=True)
class _State:
    done: int
    total: int
    left: float | None
    """Estimated seconds."""
    figures: str


class _Bar:
    def __init__(
        self,
        total: int,
        done: int,
        tell: Callable[[_State], None],
        pause: float,
        expected: _Expected | None = None,
    ) -> None:
        self._total, self._done, self._begun_at = total, done, done
        self._expected = expected
        self._first: tuple[float, int] | None = None
        """When how many steps were done for the first time: what comes before is preparation."""
        self._tell, self._pause = tell, pause
        self._start = self._last = time.monotonic()
        self._lock = Lock()
        self.gone = False

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        if self.gone:
            raise Abandoned
        now = time.monotonic()
        with self._lock:
            self._done += steps
            if self._expected:
                self._compare(now, self._expected)
            if now - self._last < self._pause:
                return
            self._last = now
        left = (now - self._start) / max(self._done - self._begun_at, 1) * (self._total - self._done)
        words = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())
        self._tell(_State(self._done, self._total, left, "  ".join(words)))

    def _compare(self, now: float, expected: _Expected) -> None:
        if self._first is None:
            self._first = now, self._done
        start, done = self._first
        share, least = _ENOUGH
        if now - start >= least and self._done - self._begun_at > share * self._total:
            self._expected = None
            step = (now - start) / (self._done - done)
            seconds = step * self._total
            if abs(seconds - expected.seconds) > _DIFFERENCE * expected.seconds:
                expected.differs(seconds, step * (self._total - self._done))


def _print(title: str, state: _State) -> None:
    left = format_time(state.left or 0)
    line = f"  {title}: {state.done}/{state.total}, {left} left  {state.figures}"
    print(line.rstrip(), file=sys.stderr, flush=True)


# The way to the display: a pipe that forked processes inherit. A stage may run in another process than the display.
_pipe: int | None = None
_task = ""
_shown = False
"""Whether there is a bar."""


def open_pipe() -> int:
    """Send progress and printed lines of this process, and of those that it forks, to a pipe; the end to read from.

    A message is a line of JSON: ``{"task", "done", "total", "left", "figures"}`` or ``{"task", "text"}``.
    """
    global _pipe
    end, _pipe = os.pipe()
    os.set_blocking(_pipe, False)  # a display that does not listen must never hold up a stage
    return end


def displayed() -> bool:
    """Whether a display shows what this process prints."""
    return _pipe is not None


def close_pipe() -> None:
    """Undo ``open_pipe``; a reader then finds the end of the file."""
    global _pipe
    if _pipe is not None:
        os.close(_pipe)
        _pipe = None


@contextmanager
def reporting(task: str) -> Iterator[None]:
    """Progress and printed lines belong to ``task`` meanwhile; nothing happens where no display listens."""
    global _task
    if _pipe is None:
        yield
        return
    _task, lines = task, _Lines()
    with redirect_stdout(lines), redirect_stderr(lines):
        try:
            yield
        finally:
            lines.close()


def _send(**values: Any) -> None:
    if _pipe is not None:
        with suppress(BlockingIOError):
            os.write(_pipe, json.dumps({"task": _task, **values}).encode() + b"\n")


class _Lines(io.TextIOBase):
    """Sends what is printed, line by line: a display would be garbled by anything written past it."""

    def __init__(self) -> None:
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            for start in range(0, len(line), _LONGEST_TEXT):
                _send(text=line[start : start + _LONGEST_TEXT])
        return len(text)

    def close(self) -> None:
        if self._begun:
            self.write("\n")
        super().close()
