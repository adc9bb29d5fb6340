"""What a beginner's networks are told of the data set."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcubuild.data.splits import Index, write_index, write_split
from mcubuild.nas.training import beginner
from rules.job import Job
from rules.stages import plain
from tests.nas.toy import split


@pytest.mark.parametrize("mirror", [False, True])
def test_the_plain_network_is_mirrored_where_the_searched_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: bool
) -> None:
    index = Index("image_folder", "image_classification", ("a", "b", "c"), 8, 8, 1, mirror=mirror)
    write_index(index, tmp_path / "index.json")
    for number, name in enumerate(("train", "val", "test")):
        write_split(split(12, number), tmp_path / f"{name}.npz")
    asked: dict[str, object] = {}

    def recorded(samples: object, test: object, classes: int, **options: object) -> float:
        asked.update(options, classes=classes)
        return 0.5

    class Read(Job):
        def __getitem__(self, field: str) -> object:
            assert field in plain.STAGE.settings
            return 7

    monkeypatch.setattr(beginner, "plain_network", recorded)
    stage = plain.STAGE
    rest: tuple[Any, ...] = (None, None, {}, "", tmp_path, tmp_path, tmp_path)
    stage.run(Read(tmp_path, stage.settings, stage.inputs, *rest))
    assert asked == {"task": "image_classification", "mirror": mirror, "classes": 3, "seed": 7}
    assert json.loads((tmp_path / "plain.json").read_text()) == {"accuracy": 0.5}
