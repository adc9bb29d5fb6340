"""Seeded damage to files, and what may come of it."""

import os
import random
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from mcubuild.errors import BuildError

_LONGEST_MESSAGE = 500
_LONGEST_SECONDS = 10
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Hang(BaseException):
    """Reading takes too long; no ``except Exception`` takes it for a damaged file."""


@dataclass
class Tally:
    """What came of the trials."""

    outcomes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    slowest: float = 0.0
    """Seconds."""
    lines: int = 0
    """Printed by libraries."""

    def add(self, outcome: str, example: str) -> None:
        self.outcomes[outcome] += 1
        self.examples.setdefault(outcome, []).append(example)

    @property
    def bad(self) -> list[str]:
        """Whatever is neither a result nor a refusal."""
        return [
            f"{outcome}: {example}"
            for outcome, examples in self.examples.items()
            if not outcome.startswith(("read", "refused"))
            for example in examples
        ]

    def told(self, title: str) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        files = sum(self.outcomes.values())
        return (
            f"{title}: {files} files: {counts}; slowest {self.slowest:.2f} s, {self.lines} lines printed by libraries"
        )


def mutate(content: bytes, generator: random.Random) -> bytes:
    """``content`` with bytes changed, cut off, doubled or taken out."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        # Headers decide more than what follows.
        end = generator.choice((min(64, len(data)), len(data), len(data)))
        at = generator.randrange(end)
        match generator.randrange(7):
            case 0:
                data[at] ^= 1 << generator.randrange(8)
            case 1:
                data[at] = generator.randrange(256)
            case 2:
                width = generator.choice((1, 2, 4))
                value = generator.choice(_EXTREMES) & (256**width - 1)
                data[at : at + width] = value.to_bytes(width, generator.choice(("little", "big")))
            case 3:
                del data[at:]
            case 4:
                del data[at : at + generator.randrange(1, 32)]
            case 5:
                data[at:at] = data[generator.randrange(len(data)) :][: generator.randrange(1, 32)]
            case _:
                data[at : at + 8] = generator.randbytes(8)
    return bytes(data)


def scribbled(content: bytes, places: range, generator: random.Random) -> bytes:
    """``content`` with some of the bytes in ``places`` changed, nothing moved."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        at = generator.choice(places)
        data[at] = generator.choice((generator.randrange(256), 0, 0xFF, data[at] ^ 1 << generator.randrange(8)))
    return bytes(data)


def attempt(tally: Tally, label: str, path: Path, read: Callable[[], str], refused: str = "refused") -> None:
    """Count what ``read`` makes of ``path``: the outcome that it returns, a proper refusal, or something bad."""
    started = time.perf_counter()
    try:
        with _alarm():
            outcome, example = read(), label
    except BuildError as error:
        proper = str(path) in str(error) and len(str(error)) < _LONGEST_MESSAGE and "\n" not in str(error)
        outcome, example = (refused if proper else "told badly"), f"{label}: {error}"
    except Hang:
        outcome, example = "hang", label
    except Exception:
        outcome, example = "traceback", f"{label}: {traceback.format_exc()}"
    tally.slowest = max(tally.slowest, time.perf_counter() - started)
    tally.add(outcome, example)


@contextmanager
def _alarm() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def quiet(tally: Tally) -> Iterator[None]:
    """Count the lines that libraries write to the terminal meanwhile, past Python too, instead of showing them."""
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        tally.lines += caught.read().count(b"\n")
