"""Whether the user wants a download: told always, asked for where it is large."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mcubuild.errors import BuildError, tell
from mcubuild.progress import displayed
from mcubuild.units import format_bytes

LARGE = 10**9
"""Bytes above which nothing begins unasked."""
VARIABLE = "MCUBUILD_FETCH"
_SHOWN = 4
"""Names of files in a line."""


def agree(folder: Path, names: Sequence[str], size: int) -> None:
    """Tell the user that files of ``size`` bytes are to be fetched into ``folder``; ask for it if that is a lot.

    ``MCUBUILD_FETCH=yes`` is an answer in advance, and so is ``no``.

    Raises:
        BuildError: the answer is no, or nobody is there to give one: what else can be done.
    """
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "yes", "no"):
        raise BuildError(f"{VARIABLE}={said}: must be yes or no.")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    what = f"{', '.join(names[:_SHOWN])}{more} ({format_bytes(size)})"
    if said == "yes" or (said != "no" and size <= LARGE):
        tell(f"fetching {what} into {folder}")
        return
    if said != "no" and _answers(f"{what} must be fetched into {folder}. Do that now? [y/N] "):
        return
    raise BuildError(
        f"{what} must be fetched: allow that with {VARIABLE}=yes, put the files into {folder} yourself, or point "
        f"dataset.path at a copy."
    )


def _answers(question: str) -> bool:
    """Whether somebody at the terminal says yes. Stages may run in processes without a standard input."""
    if not (displayed() or sys.stderr.isatty()):
        return False
    try:
        with open("/dev/tty", encoding="utf-8", errors="replace") as terminal:  # noqa: PTH123
            if os.tcgetpgrp(terminal.fileno()) != os.getpgrp():  # in the background, where to read would stop it
                return False
            tell(question)
            return terminal.readline().strip().lower() in ("y", "yes")
    except OSError:
        return False
