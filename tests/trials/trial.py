"""Running trials of a kind, and counting how they end."""

import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from mcubuild.errors import LONGEST, BuildError

Trial = Callable[[Random, Path], None]
"""Breaks an input and uses it, in an empty folder; an AssertionError is a wrong result, and a BuildError none."""

ENDS = ("accepted", "refused", "wrong", "tracebacks", "hangs")
BAD = ENDS[2:]


class WrongError(AssertionError):
    """The input was neither refused nor understood."""


class _Hang(BaseException):
    """Not an Exception, which the product may catch."""


@dataclass
class Summary:
    """How the trials of a kind ended."""

    kind: str
    ends: Counter[str] = field(default_factory=Counter)
    bad: dict[int, str] = field(default_factory=dict)
    """By number of the trial: what went wrong."""

    def lines(self) -> list[str]:
        """A table of one row, and what went wrong."""
        names = ("kind", "runs", *ENDS)
        values = (self.kind, str(self.ends.total()), *(str(self.ends[end]) for end in ENDS))
        rows = ["  ".join(f"{cell:>10}" for cell in row) for row in (names, values)]
        return [*rows, *(f"\n{self.kind} --only {number}: {told}" for number, told in self.bad.items())]


def run(kind: str, trial: Trial, numbers: Iterable[int], seed: int, patience: float) -> Summary:
    """Run the trials ``numbers``, each from a seed of its own and for at most ``patience`` seconds."""
    summary = Summary(kind)
    before = signal.signal(signal.SIGALRM, _out_of_patience)
    try:
        for number in numbers:
            # Processes of a trial that was given up may write for a moment yet: what they leave ends no run.
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                end, told = _ended(trial, Random(f"{kind} {seed} {number}"), Path(folder), patience)
            summary.ends[end] += 1
            if end in BAD:
                summary.bad[number] = told
    finally:
        signal.signal(signal.SIGALRM, before)
    return summary


def _ended(trial: Trial, rng: Random, folder: Path, patience: float) -> tuple[str, str]:
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        trial(rng, folder)
        return "accepted", ""
    except BuildError as error:
        message = str(error)
        if len(message) >= LONGEST or not message.strip():
            return "wrong", f"a message of {len(message)} characters: {message}"
        return "refused", message
    except AssertionError as error:
        return "wrong", str(error)
    except _Hang:
        return "hangs", traceback.format_exc()
    except Exception:
        return "tracebacks", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _out_of_patience(number: int, frame: FrameType | None) -> None:
    raise _Hang
