"""Where a detector's cells start: anchors of the data set for one that is trained, of the network for one brought."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.accuracy import Accuracy
from mcubuild.data.splits import Detector, read_index
from mcubuild.errors import BuildError
from mcubuild.spec.spec import read_spec
from mcubuild.tasks.detection.reading import Detection
from mcubuild.tasks.reading import restored
from rules.execute import execute
from rules.known import Files
from rules.stage import Resolved, pipeline
from rules.stages import codegen, dataset, importer, outline, reference
from tests.e2e.test_detector_import import detector, write_squares
from tests.importers.writer import write

DATA = """
board = "stm32f412"

[dataset]
kind = "yolo_folder"
path = "squares"
classes = ["square", "never"]
"""
BROUGHT = DATA + '[model]\nfile = "net.tflite"\nanchors = [[0.25, 0.125]]\n[detection]\nthreshold = 0.5\n'
TRAINED = 'task = "object_detection"\n' + DATA + "[detection]\nanchors = 1\nstride = 16\n"


def resolved(folder: Path, text: str) -> Resolved:
    """The spec, whose pictures have squares of one size: a fourth of the height, a sixth of the width."""
    (folder / "net.toml").write_text(text)
    write_squares(folder / "squares", 4, 6)
    spec, board = read_spec(folder / "net.toml")
    return {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json"), "folder": str(folder)}


def test_a_brought_detector_has_its_own_anchors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    spec = resolved(tmp_path, BROUGHT)  # with five anchors for one size of boxes, if these were asked
    write(tmp_path / "net.tflite", detector(4, 6))
    for stage in pipeline((dataset.STAGE, importer.STAGE, codegen.STAGE, reference.STAGE), spec):
        execute(stage, spec, tmp_path, Files(tmp_path / "files.db"))
    assert read_index(tmp_path / "index.json").detector is None
    reads = restored(read_artifact(tmp_path / "accuracy.json", Accuracy).classification, "object_detection")
    assert isinstance(reads, Detection) and reads.decoding.anchors == ((0.25, 0.125),)
    corners = np.vstack([one.corners for one in reads.boxes(np.load(tmp_path / "int8_outputs.npy"))])
    height, width = 16 * 64 * 0.25, 16 * 96 * 0.125  # in sixteenths of a pixel
    assert len(corners) and (corners[:, 2:] - corners[:, :2] == [height, width]).all()
    c = (tmp_path / "c" / "model.c").read_text()
    assert re.findall(r"\bhalves\[ANCHORS\]\[2\] = \{\s*\{(\d+), (\d+)\},\s*\};", c) == [("128", "96")]


def test_a_trained_one_has_those_of_the_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    spec = resolved(tmp_path, TRAINED)
    for stage in pipeline((dataset.STAGE, outline.STAGE), spec):
        execute(stage, spec, tmp_path, Files(tmp_path / "files.db"))
    found = read_index(tmp_path / "index.json").detector
    assert found is not None and found == Detector(found.anchors, 16)
    np.testing.assert_allclose(found.anchors, [[1 / 4, 1 / 6]], atol=1e-6)
    told = json.loads((tmp_path / "outline.json").read_text())
    assert (told["anchors"], told["stride"]) == (1, 16)


@pytest.mark.parametrize("key", ["anchors = 1", "stride = 16"])
def test_a_brought_one_takes_no_head_of_the_data_set(tmp_path: Path, key: str) -> None:
    told = f"found detection.{key} beside \\[model\\]; a network that exists has its own anchors"
    with pytest.raises(BuildError, match=told) as refusal:
        resolved(tmp_path, f"{BROUGHT}{key}\n")
    assert len(str(refusal.value)) < 500
