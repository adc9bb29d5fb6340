"""What a terminal shows while stages run: a table of the specs' stages, updated in place."""

import json
import os
import select
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event, RLock, Thread
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mcubuild.units import format_time

_SECONDS_BETWEEN_FRAMES = 0.15
_COLUMN = 24
"""Least width of a spec's column: a bar, a percentage and the time left."""
_STYLES = {
    "failed": "bold red",
    "over budget": "bold red",
    "stopped": "yellow",
    "waiting": "dim",
    "not reached": "dim",
    "left out": "dim",
}
_MARKS = {"built": ("✓", "green"), "from store": ("✓", "green"), "up to date": ("✓", "dim green")}
_OVER = {"failed": ("✗", "red"), "over budget": ("✗", "red"), "stopped": ("✗", "yellow")}
_PASSED = {"pass": ("✓", "green"), "cautions": ("!", "yellow")}
_DONE = {**_MARKS, **_OVER, **_PASSED, "left out": ("·", "dim")}


@dataclass
class _Cell:
    """One stage of one spec."""

    state: str = "waiting"
    started: float = 0
    seconds: float | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    """The latest message of ``mcubuild.progress``."""


class Display:
    """A live table; its methods may be called from any thread of the process that shows it."""

    def __init__(self, tasks: Iterable[str], out: IO[str], pipe: int) -> None:
        """Show ``tasks`` ("stage:spec", in order) on the terminal ``out``; ``pipe`` is read for progress."""
        self._cells = dict[str, _Cell]()
        self._lock = RLock()
        self.show(tasks)
        self._console = Console(file=out, highlight=False)
        self._pipe = pipe
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            get_renderable=self._frame,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stopping = Event()
        self._thread = Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Draw the table and keep it up to date."""
        self._live.start(refresh=True)
        self._thread.start()

    def show(self, tasks: Iterable[str]) -> None:
        """From now on, the table is of these ``tasks``, in order; what is known of any stays."""
        with self._lock:
            self._cells = {task: self._cells.get(task) or _Cell() for task in tasks}
            self._stages = list(dict.fromkeys(task.partition(":")[0] for task in self._cells))
            self._specs = list(dict.fromkeys(task.partition(":")[2] for task in self._cells))

    def set(self, task: str, state: str, seconds: float | None = None) -> None:
        """``task`` is now in ``state``: "up to date", "running", "built", "failed", ..., after ``seconds``."""
        with self._lock:
            if cell := self._cells.get(task):
                cell.state, cell.seconds = state, seconds
                if state == "running":
                    cell.started = time.monotonic()

    def print(self, text: str) -> None:
        """Show ``text`` above the table."""
        with self._lock:
            self._console.print(Text(text.rstrip("\n")), soft_wrap=True)

    def stop(self) -> None:
        """Draw the table for the last time, with all that the pipe still holds; the terminal is as it was before."""
        self._stopping.set()
        self._thread.join()
        with self._lock:
            for cell in self._cells.values():
                if cell.state == "running":
                    cell.state = "stopped"
            self._live.stop()

    def _follow(self) -> None:
        rest, drawn = b"", 0.0
        while True:
            ready, _, _ = select.select([self._pipe], [], [], _SECONDS_BETWEEN_FRAMES)
            if ready:
                data = os.read(self._pipe, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._receive(json.loads(line))
            elif self._stopping.is_set():
                return
            if time.monotonic() - drawn >= _SECONDS_BETWEEN_FRAMES:
                with self._lock:
                    self._live.refresh()
                drawn = time.monotonic()

    def _receive(self, message: dict[str, Any]) -> None:
        if "text" in message:
            self.print(message["text"])
        elif cell := self._cells.get(message["task"]):
            with self._lock:
                cell.progress = message

    def _frame(self) -> RenderableType:
        with self._lock:
            fits = (
                14 + _COLUMN * len(self._specs) <= self._width() and len(self._stages) + 3 <= self._console.size.height
            )
            return self._by_stage() if fits else self._by_spec()

    def _by_stage(self) -> Table:
        """A row a stage, a column a spec: everything at one glance, where there is room."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=self._width())
        table.add_column(no_wrap=True, width=10, style="dim")
        for spec in self._specs:
            table.add_column(Text(spec, "bold"), ratio=1, no_wrap=True, overflow="ellipsis")
        for stage in self._stages:
            cells = [self._cells.get(f"{stage}:{spec}") for spec in self._specs]
            wide = len(self._specs) == 1
            table.add_row(stage, *(self._cell(cell, wide) if cell else "" for cell in cells))
        return table

    def _by_spec(self) -> Table:
        """A row a spec: how many stages are done, and what it does now."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, width=self._width())
        table.add_column(no_wrap=True, overflow="ellipsis", style="bold", max_width=32)
        table.add_column(no_wrap=True, justify="right", style="dim")
        table.add_column(no_wrap=True, style="dim", width=8)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        # Finished specs come first and give way where the terminal is too short for all.
        for spec in sorted(self._specs, key=lambda spec: self._now(spec)[1].state not in _DONE)[-self._room() :]:
            stages = [stage for stage in self._stages if f"{stage}:{spec}" in self._cells]
            done = sum(self._cells[f"{stage}:{spec}"].state in _MARKS for stage in stages)
            stage, cell = self._now(spec)
            table.add_row(spec, f"{done}/{len(stages)}", stage, self._cell(cell, wide=False))
        return table

    def _width(self) -> int:
        """Room for the ``^C`` that the terminal itself writes: in a new line it would move the table."""
        return max(self._console.size.width - 4, 20)

    def _room(self) -> int:
        return max(self._console.size.height - 2, 1)

    def _now(self, spec: str) -> tuple[str, _Cell]:
        """The stage to show for ``spec``: one that runs or failed, else the next, else the last."""
        found = [(stage, cell) for stage in self._stages if (cell := self._cells.get(f"{stage}:{spec}"))]
        for states in (("running",), ("failed", "over budget", "stopped"), ("waiting",)):
            for stage, cell in found:
                if cell.state in states:
                    return stage, cell
        return found[-1]

    def _cell(self, cell: _Cell, wide: bool) -> RenderableType:
        if cell.state == "running":
            return _running(cell, wide)
        mark, colour = _DONE.get(cell.state, ("·", "dim"))
        took = "" if cell.seconds is None else f"  {format_time(cell.seconds)}"
        return Text.assemble((mark, colour), " ", (cell.state, _STYLES.get(cell.state, "")), (took, "dim"))


def _running(cell: _Cell, wide: bool) -> RenderableType:
    """A bar, how much of it is done and the time left; with room to spare, steps and the latest figures too."""
    elapsed = time.monotonic() - cell.started
    if not cell.progress.get("total"):
        return Text.assemble(("● ", "cyan"), f"running  {format_time(round(elapsed, 1))}")
    done, total, left = cell.progress["done"], cell.progress["total"], cell.progress["left"]
    words = f"{done}/{total}" if wide else f"{100 * done / total:.0f} %"
    if left is not None:
        words += f"  {format_time(left)} left" if wide else f" {format_time(left)}"
    if wide:
        words += f"  {cell.progress['figures']}"
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=20 if wide else 6)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(ProgressBar(total=total, completed=done), Text(words))
    return row


def planned(tasks: Any, selected: Sequence[str]) -> list[str]:
    """The stages and builds that doit visits for the ``selected`` tasks, in the order of the pipeline.

    Args:
        tasks: doit's tasks by name, their implicit dependencies resolved.
        selected: names of tasks.
    """
    pending, seen = list(selected), set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += tasks[name].task_dep
    return [name for name in tasks if name in seen and ":" in name and tasks[name].actions]
