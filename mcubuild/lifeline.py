"""Processes that end with the one that started them, however that ends: nobody is left to compute for nobody."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

_PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
_SECONDS_BETWEEN_LOOKS = 0.5
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def tied() -> Callable[[], None]:
    """For ``preexec_fn`` of a process that this one is about to start, and waits for in the thread that starts it.

    Linux alone can do this for any program; elsewhere compilers finish what they are at.
    """
    return partial(_tie, os.getpid())


def _tie(parent: int) -> None:
    # Between fork and exec: nothing here may wait for another thread.
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the signal was asked for
            os._exit(1)


def end_with(parent: int) -> None:
    """Let this process, which ``parent`` has forked, end as soon as that does."""
    _tie(parent)
    if _prctl is None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
