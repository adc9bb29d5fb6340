"""One build at a time in a checkout."""

import fcntl
import os
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

from doit.exceptions import InvalidCommand

from rules.stage import BUILD

LOCK = BUILD / ".lock"


def hold_lock() -> IO[str]:
    """The checkout's lock, held until the file is closed by this process and by those that it forks.

    Raises:
        InvalidCommand: another process holds it: its id and the remedy.
    """
    try:
        lock = LOCK.open("a+", errors="replace")
    except OSError as error:
        raise InvalidCommand(f"{LOCK}: cannot be opened ({error.strerror}); remove it.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise InvalidCommand(
            f"another build (process {lock.read().strip()}) is running in this checkout. Wait for it to end, "
            f"build several specs in one command (spec=a.toml,b.toml and -n 2), or use a second checkout."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def exclusive(method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` of a command of doit, which runs only while no build does."""

    @wraps(method)  # doit reads the names of its arguments
    def alone(*arguments: Any, **options: Any) -> Any:
        with hold_lock():
            return method(*arguments, **options)

    return alone
