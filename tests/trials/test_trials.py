"""The trials, in full; a few of each kind among the fast tests."""

import importlib
import pkgutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mcubuild.errors import BuildError
from tests.trials import kinds
from tests.trials.trial import run

KINDS = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def shares() -> Iterator[Any]:
    """Each kind in full, which is slow, and a fiftieth of those that are quick."""
    for kind in KINDS:
        if not hasattr(importlib.import_module(f"{kinds.__name__}.{kind}"), "SLOW"):
            yield pytest.param(kind, 0.02, id=f"{kind}, few")
        yield pytest.param(kind, 1, marks=pytest.mark.slow, id=kind)


@pytest.mark.parametrize(("kind", "share"), list(shares()))
def test_nothing_is_wrong_nor_ends_in_a_traceback(kind: str, share: float) -> None:
    module = importlib.import_module(f"{kinds.__name__}.{kind}")
    numbers = range(int(module.COUNT * share))
    summary = run(kind, module.trial, numbers, 0, module.PATIENCE)
    assert not summary.bad, "\n".join(summary.lines())
    assert summary.ends["accepted"], "trials of one end try nothing"
    assert summary.ends["refused"] or hasattr(module, "SLOW"), "trials of one end try nothing"


def test_ends_are_told_apart() -> None:
    def wait() -> None:
        for _ in count():
            pass

    def refuse(message: str) -> None:
        raise BuildError(message)

    ways = [lambda: None, lambda: refuse("x.toml: no"), lambda: refuse(" "), lambda: [][0], wait]
    for number, end in enumerate(("accepted", "refused", "wrong", "tracebacks", "hangs")):

        def trial(rng: Random, folder: Path, number: int = number) -> None:
            ways[number]()

        summary = run("kind", trial, [7], 0, 0.1)
        assert summary.ends == {end: 1} and bool(summary.bad) == (number > 1)
    assert "kind --only 7: Traceback" in "\n".join(summary.lines())
