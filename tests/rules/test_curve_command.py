"""What ``doit curve`` asks of the data, and how it knows times."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild.data.splits import Split, write_split
from mcubuild.errors import BuildError
from rules import options
from rules.commands import curve
from rules.execute import action_key, execute
from rules.history import History
from rules.job import Job
from rules.known import Files
from rules.resolve import resolve
from rules.stage import Resolved, Stage

RESOLVED: dict[str, Any] = {"spec": {"name": "net", "dataset": {"samples": None, "draw": 0}, "seed": 3}, "folder": "."}


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


def test_sizes_that_the_data_has_not_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.derived.BUILD", tmp_path)
    (tmp_path / "net").mkdir()
    _labels(tmp_path / "net", [90, 30], [10, 10])
    found, told = curve._sizes(RESOLVED, [20, 60, 100, 600, None])
    assert [(size.name, size.samples) for size in found] == [("20", 20.0), ("60", 50.0), ("all", 70.0)]
    assert told == "sizes=100,600: no class has more than 100 samples to learn from"
    with pytest.raises(BuildError, match=r"sizes=600: no class has more than 100 .* write smaller ones, or sizes=all"):
        curve._sizes(RESOLVED, [600])


def test_every_draw_is_another_part_of_the_data_but_all_of_it_is_always_the_same() -> None:
    def part(most: int | None, draw: int, own: int | None = None) -> dict[str, Any]:
        settings = {**RESOLVED["spec"]["dataset"], "samples": own}
        found = curve._with_samples({**RESOLVED, "spec": {**RESOLVED["spec"], "dataset": settings}}, most, draw)
        dataset: dict[str, Any] = found["dataset"]
        return dataset

    assert part(20, 2) == {"samples": 20, "draw": 2} and part(None, 2) == {"samples": None, "draw": 0}
    assert part(None, 2, own=50) == {"samples": 50, "draw": 2}, "all that the spec takes"


def _write(job: Job) -> None:
    if job.work.parent.parent.name == "stopped":
        (job.work / "checkpoint").touch()
        raise KeyboardInterrupt
    (job.out / "made").write_text("made")


STAGE = Stage("slow", "writes", inputs=(), outputs=("made",), settings=("seed",), run=_write)


def test_how_long_a_stage_took_is_known_by_what_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of what an interrupted run had begun: the rest alone took less."""
    history, resolved = History(tmp_path / "history.db"), _resolved(tmp_path)

    def seconds(seed: int) -> float | None:
        one = {**resolved, "spec": {**resolved["spec"], "seed": seed}}
        execute(STAGE, one, tmp_path / "net", Files(None), history)
        return history.seconds(action_key(STAGE, one, tmp_path / "net", Files(None)))

    monkeypatch.setattr("rules.execute.code_of", lambda stage: ((), {}))
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "stopped"))
    with pytest.raises(KeyboardInterrupt):
        seconds(1)
    (tmp_path / "stopped").rename(tmp_path / "store")
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    assert seconds(1) is None
    took = seconds(2)
    assert took is not None and seconds(2) == took, "from the store"


def _resolved(folder: Path) -> Resolved:
    path = folder / "net.toml"
    path.write_text('task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\n')
    (found,) = resolve(path, folder / "memory")
    return found
