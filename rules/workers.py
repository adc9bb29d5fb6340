"""doit's processes for stages (``-n 2``), which end with the build, and the build with any of them.

And what becomes of tasks where a network of a comparison does not fit: that is a result, so nothing fails; stages that
read what was not made are left out, and the comparison itself, which says so, is not.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty
from typing import Any

from doit.exceptions import InvalidTask, TaskFailed
from doit.runner import MRunner, Runner

KILLED = (
    "a process that worked on stages was killed, perhaps because memory ran out. The same command goes on from the "
    "last checkpoint; with fewer processes (-n) it needs less memory."
)
_SECONDS_BETWEEN_LOOKS = 0.5


GATHERS: Mapping[str, Any] = {"gathers": True}
"""What a task says (doit's ``meta``) that is run though tasks which it waits for were left out."""


class Unfit(TaskFailed):  # type: ignore[misc]
    """The failure of a stage whose network does not fit, where that is a result."""


class Tolerant(Runner):  # type: ignore[misc]
    """doit's runner of tasks, to which a network that does not fit is no failure."""

    def select_task(self, node: Any, tasks_dict: Any) -> Any:
        """See Runner."""
        if node.task.meta == GATHERS:
            node.ignored_deps.clear()
        return super().select_task(node, tasks_dict)

    def _handle_task_error(self, node: Any, base_fail: Any) -> None:
        if not isinstance(base_fail, Unfit):
            super()._handle_task_error(node, base_fail)
            return
        node.run_status = "ignore"  # and so will be all that waits for it
        self.dep_manager.remove_success(node.task)
        self.reporter.skip_ignore(node.task)


class Workers(Tolerant, MRunner):  # type: ignore[misc]
    """The same in several processes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._build = os.getpid()

    def _run_start_processes(self, job_q: Any, result_q: Any) -> Any:
        # Python drops a Ctrl-C that comes while its own handlers run around a fork: it waits until all are started.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            workers = super()._run_start_processes(job_q, result_q)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        result_q.get = partial(_result, result_q.get, workers)
        return workers

    def execute_task_subprocess(self, job_q: Any, result_q: Any, reporter_class: Any) -> None:
        """See MRunner."""
        from mcubuild.lifeline import end_with

        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked when it was forked
        end_with(self._build)
        job_q.get = partial(_job, job_q.get)
        super().execute_task_subprocess(job_q, result_q, reporter_class)


def _result(get: Callable[..., Any], workers: Sequence[Any]) -> Any:
    """What a worker tells next; doit alone would wait for ever for one that was killed.

    Raises:
        InvalidTask: one was.
    """
    while True:
        try:
            return get(timeout=_SECONDS_BETWEEN_LOOKS)
        except Empty:
            if any(worker.exitcode for worker in workers):
                raise InvalidTask(KILLED) from None


def _job(get: Callable[[], Any]) -> Any:
    """What a worker is to do next. One that was stopped while it read that has left a part, which nobody can read.

    Raises:
        InvalidTask: so it was.
    """
    try:
        return get()
    except Exception:  # whatever unpickling says to it
        raise InvalidTask(KILLED) from None
