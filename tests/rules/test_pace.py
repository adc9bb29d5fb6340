"""The time that a spec gives, through the stage."""

import json
from pathlib import Path

import pytest

from mcubuild.data.splits import Index, write_index, write_split
from mcubuild.errors import BuildError
from mcubuild.nas import forecast
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.space.contender import Contender, write_contenders
from mcubuild.spec.spec import read_spec
from rules import pace
from rules.stage import Job
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


def test_the_stage_shares_the_time_among_race_trainings_and_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "_each", lambda work: (work(), 0.01)[1])
    spec, board = read_spec(written(tmp_path, '[search]\ntime = "1min"\n'))
    write_index(Index("toy", "image_classification", ("a", "b", "c"), 8, 8, 1), tmp_path / "index.json")
    write_split(split(96, 1), tmp_path / "train.npz")
    write_split(split(32, 2), tmp_path / "val.npz")
    spaces = (Space(0.3, 8, 1, 3, 2), Space(0.2, 8, 1, 3, 2))
    contenders = [Contender(smallest(space), 1000 * n, n) for n, space in enumerate(spaces, 1)]
    write_contenders(contenders, tmp_path / "contenders.json")
    names = ("index.json", "train.npz", "val.npz", "contenders.json")
    job = Job(tmp_path, pace.STAGE.settings, names, spec, board, {}, "", tmp_path, tmp_path, tmp_path / "work")
    pace.STAGE.run(job)
    found = json.loads((tmp_path / "pace.json").read_text())
    assert found["time"] == 60 and set(found["seconds"]) == {"race", "supernet", "search", "finetune"}
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert found["factor"] <= 1.001 * 0.8 * 60 / sum(found["seconds"].values())


@pytest.mark.parametrize("table", ["supernet", "finetune"])
def test_epochs_beside_a_time_are_refused_in_one_line(tmp_path: Path, table: str) -> None:
    path = written(tmp_path, f'[search]\ntime = "20s"\n[{table}]\nepochs = 3\n')
    with pytest.raises(
        BuildError, match=rf"search\.time beside {table}\.epochs; both say how long: remove one"
    ) as found:
        read_spec(path)
    assert "\n" not in str(found.value) and len(str(found.value)) < 500
