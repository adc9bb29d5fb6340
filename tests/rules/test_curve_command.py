"""What ``doit curve`` asks of the data, and how it knows times."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.data.splits import Split, write_split
from mcubuild.errors import BuildError
from rules import options
from rules.commands import curve
from rules.job import Job
from rules.known import Files
from rules.stage import Stage

RESOLVED: dict[str, Any] = {"spec": {"dataset": {"samples": None, "draw": 0}, "seed": 3}, "folder": "."}


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("20,60,200,600,all", [20, 60, 200, 600, None]),
        ("all", [None]),
        ("60,20,60", [20, 60]),
        ("all,5", [5, None]),
        ("20,", [20]),
    ],
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, text: str, sizes: list[int | None]) -> None:
    monkeypatch.setattr(options, "get_var", lambda name, default: text)
    assert curve._asked() == sizes


@pytest.mark.parametrize("text", ["", ",", "x", "1", "20,1", "-5", "2.5", "20,ALL", "20;60", "²", "9999999999"])
def test_no_sizes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(options, "get_var", lambda name, default: text)
    with pytest.raises(BuildError, match=r"sizes=.*: must be whole numbers from 2 on, or all"):
        curve._asked()


def _labels(folder: Path, train: list[int], val: list[int]) -> None:
    for name, counts in (("train", train), ("val", val)):
        y = np.repeat(np.arange(len(counts)), counts)
        write_split(Split(np.zeros((len(y), 2, 2, 1), np.uint8), y), folder / f"{name}.npz")


def test_sizes_that_the_data_has_not_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _labels(tmp_path, [90, 30], [10, 10])
    found = curve._sizes(tmp_path, [20, 60, 100, 600, None])
    assert [(size.name, size.samples) for size in found] == [("20", 20.0), ("60", 50.0), ("all", 70.0)]
    assert "sizes=100,600: no class has more than 100 samples to learn from; left out." in capsys.readouterr().out
    with pytest.raises(BuildError, match=r"sizes=600: no class has more than 100 .* write smaller ones, or sizes=all"):
        curve._sizes(tmp_path, [600])


def test_every_draw_is_another_part_of_the_data_but_all_of_it_is_always_the_same() -> None:
    def part(most: int | None, draw: int, own: int | None = None) -> dict[str, Any]:
        settings = {**RESOLVED["spec"]["dataset"], "samples": own}
        found = curve._with_samples({**RESOLVED, "spec": {**RESOLVED["spec"], "dataset": settings}}, most, draw)
        dataset: dict[str, Any] = found["spec"]["dataset"]
        return dataset

    assert part(20, 2) == {"samples": 20, "draw": 2} and part(None, 2) == {"samples": None, "draw": 0}
    assert part(None, 2, own=50) == {"samples": 50, "draw": 2}, "all that the spec takes"


def _write(job: Job) -> None:
    (job.out / "made").write_text("made")


STAGE = Stage("curve", "writes", inputs=(), outputs=("made",), settings=("seed",), run=_write)


def _executed(monkeypatch: pytest.MonkeyPatch, origin: str, error: type[BaseException] | None = None) -> None:
    def execute(*arguments: Any) -> dict[str, Any]:
        if error:
            raise error
        return {"origin": origin, "seconds": 2.5}

    monkeypatch.setattr(curve, "execute", execute)
    monkeypatch.setattr(curve, "action_key", lambda stage, *others: stage.name)


def test_times_are_kept_for_results_that_come_from_the_store_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(stage: Stage = STAGE) -> float | None:
        return curve._Clock(tmp_path / "times.json").execute(stage, RESOLVED, tmp_path, Files(None))

    _executed(monkeypatch, "built")
    assert run() == 2.5
    _executed(monkeypatch, "store")
    assert run() == 2.5
    assert run(replace(STAGE, name="done elsewhere")) is None
    _executed(monkeypatch, "built", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(replace(STAGE, name="interrupted"))
    _executed(monkeypatch, "built")
    assert run(replace(STAGE, name="interrupted")) is None, "the rest alone took 2.5 s"
    (tmp_path / "times.json").write_text("{")
    assert run() == 2.5
