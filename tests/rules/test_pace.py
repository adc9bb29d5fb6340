"""The time that a spec gives, through the stage."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcubuild.data.splits import Index, write_index, write_split
from mcubuild.errors import BuildError
from mcubuild.nas import forecast
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.space.contender import Contender, write_contenders
from mcubuild.nas.space.files import write_space
from mcubuild.resolution import square
from mcubuild.spec.spec import read_spec
from rules.job import Job
from rules.stage import Stage
from rules.stages import pace, rest
from tests.nas.toy import split

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "net.toml"
    path.write_text(SPEC + text)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stages read; each kind of work takes 10 ms."""
    monkeypatch.setattr(forecast, "_each", lambda work: (work(), 0.01)[1])
    write_index(Index("toy", "image_classification", ("a", "b", "c"), 8, 8, 1), tmp_path / "index.json")
    write_split(split(96, 1), tmp_path / "train.npz")
    write_split(split(32, 2), tmp_path / "val.npz")
    spaces = (Space(0.3, square(8), 1, 3, 2), Space(0.2, square(8), 1, 3, 2))
    contenders = [Contender(smallest(space), 1000 * n, n) for n, space in enumerate(spaces, 1)]
    write_contenders(contenders, tmp_path / "contenders.json")
    write_space(spaces[1], (), tmp_path / "space.json")
    return tmp_path


def made(stage: Stage, folder: Path) -> dict[str, Any]:
    """What the stage writes for a time of a minute."""
    spec, board = read_spec(written(folder, '[search]\ntime = "1min"\n'))
    job = Job(folder, stage.settings, stage.inputs, spec, board, {}, "", folder, folder, folder / "work")
    stage.run(job)
    content: dict[str, Any] = json.loads((folder / stage.outputs[0]).read_text())
    return content


def test_the_stage_shares_the_time_among_race_trainings_and_search(folder: Path) -> None:
    found = made(pace.STAGE, folder)
    assert found["time"] == 60 and set(found["seconds"]) == {"race", "supernet", "search", "finetune"}
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert found["factor"] == pytest.approx(0.8 * 60 / sum(found["seconds"].values()), rel=0.3)


def test_what_the_race_has_left_is_shared_among_all_else(folder: Path) -> None:
    factors = []
    for seconds in (5.0, 35.0):
        (folder / "race.json").write_text(json.dumps({"winner": "w0.5-r32", "rounds": [], "seconds": seconds}))
        found = made(rest.STAGE, folder)
        assert found["time"] == 60 - seconds and set(found["seconds"]) == {"supernet", "search", "finetune"}
        factors.append(found["factor"])
    assert factors[0] == pytest.approx(factors[1] * 55 / 25, rel=0.15)


@pytest.mark.parametrize("table", ["supernet", "finetune"])
def test_epochs_beside_a_time_are_refused_in_one_line(tmp_path: Path, table: str) -> None:
    path = written(tmp_path, f'[search]\ntime = "20s"\n[{table}]\nepochs = 3\n')
    with pytest.raises(
        BuildError, match=rf"search\.time beside {table}\.epochs; both say how long: remove one"
    ) as found:
        read_spec(path)
    assert "\n" not in str(found.value) and len(str(found.value)) < 500
