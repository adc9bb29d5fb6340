"""Processes that share work whose pieces depend on nothing but their arguments."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread

from mcubuild.errors import BuildError
from mcubuild.progress import hide_bars


@contextmanager
def processes(*, alone: bool = False, prepare: Callable[[], None] | None = None) -> Iterator[Executor]:
    """A process a core, or this process if ``alone``: for work that takes less time than to start others.

    New interpreters begin afresh (a fork would inherit the locks of threads such as the display's) and never outlive
    the process that started them, even if it is killed. Each calls ``prepare`` first. What has not begun is dropped on
    an error.
    """
    if alone:
        executor: Executor = ThreadPoolExecutor(1, initializer=prepare)
    else:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(os.cpu_count(), context, initializer=_begin, initargs=(prepare,))
    try:
        yield executor
    except BrokenProcessPool:
        raise BuildError(
            "a process that shared the work was killed, perhaps for its memory; the same command goes on, with what "
            "is done kept."
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


def _begin(prepare: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    hide_bars()
    Thread(target=_leave_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
