"""One build at a time in a checkout."""

import fcntl
import os
import re
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

from doit.exceptions import InvalidCommand

from mcubuild.files import open_lock
from rules.stage import BUILD

LOCK = BUILD / ".lock"


def hold_lock() -> IO[str]:
    """The checkout's lock, held until the file is closed by this process and by those that it forks.

    What else has its name, which nobody can hold, is removed.

    Raises:
        InvalidCommand: another process holds it: its id and the remedy.
    """
    try:
        lock = os.fdopen(open_lock(LOCK), "r+", errors="replace")
    except OSError as error:
        raise InvalidCommand(f"{LOCK}: cannot be opened ({error.strerror}); remove it.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = re.fullmatch(r"\d{1,10}", lock.read(11))
        raise InvalidCommand(
            f"another build{f' (process {found[0]})' if found else ''} is running in this checkout. Wait for it to "
            f"end, build several specs in one command (spec=a.toml,b.toml and -n 2), or use a second checkout."
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
