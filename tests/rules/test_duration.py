"""The time of a build is told before its first long stage, and once more by a stage that takes another."""

from pathlib import Path

import pytest

from mcubuild.nas.forecast import Part
from mcubuild.progress import bar
from rules import duration
from rules.graph import STAGES

RESOLVED = {"spec": {"name": "net"}}


def test_it_is_told_and_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [Part("supernet", 90, ("supernet.epochs",)), Part("search", 200, ("search.generations",))]
    monkeypatch.setattr(duration, "parts", lambda resolved, folder, *, known: parts)
    now = 0.0
    monkeypatch.setattr("mcubuild.progress.time.monotonic", lambda: now)
    stages = {stage.name: stage for stage in STAGES}
    for name, step in (("dataset", 1), ("supernet", 1), ("search", 1), ("finetune", 1)):
        with duration.told(stages[name], RESOLVED, tmp_path), bar(name, 100) as shown:
            for _ in range(100):
                now += step
                shown.advance()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  net: ")]
    assert lines == [
        "  net: about 4.8 min to go on this machine: supernet 90.0 s, search 3.3 min. "
        "Shorter: lower search.generations.",
        "  net: search takes 100.0 s in all, not 3.3 min, as its first steps show: about 89.0 s to go on this machine: "
        "search 89.0 s. Shorter: lower search.generations.",
    ]
