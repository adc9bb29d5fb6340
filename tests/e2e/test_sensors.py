"""Windows of a sensor and spoken words, from tables and archives to the report."""

import json
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier

from mcubuild.data.splits import read_split
from mcubuild.ir.files import read_graph
from tests.data.activities import CLASSES, write_csv, write_npz
from tests.data.archives import contents, pack
from tests.e2e.checkout import SPEC, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "project", tmp_path / "store")


def built(checkout: Checkout, name: str, **data: str) -> dict[str, object]:
    run = checkout.doit("build", **data)
    assert run.code == 0, run.output
    report: dict[str, object] = json.loads((checkout.path / "build" / name / "report.json").read_text())
    assert report["verdict"] == "pass"
    return report


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_from_windows_to_the_report(checkout: Checkout, tmp_path: Path, kind: str) -> None:
    """A few epochs, so that the network is near a random forest on the same windows, not better."""
    keys = ', label = "activity", group = "subject", window = 64'
    place = write_csv(tmp_path / "data") if kind == "csv" else write_npz(tmp_path / "data.npz")
    spec = SPEC.replace('"digits"', f'{{ kind = "{kind}", path = "{place}"{keys if kind == "csv" else ""} }}')
    spec = spec.replace("image_classification", "sensor_classification")
    checkout.write_spec(spec.replace("resolutions = [8, 12]", "resolutions = [32, 64]"), "walks")
    built(checkout, "walks")
    folder = checkout.path / "build" / "walks"
    assert read_graph(folder).tensor("input").shape in ((1, 32, 1, 3), (1, 64, 1, 3))
    header = (folder / "c" / "model.h").read_text()
    assert "#define MODEL_WINDOW 64" in header and all(f'"{name}"' in header for name in CLASSES)
    train, test = (read_split(folder / f"{name}.npz") for name in ("train", "test"))
    forest = RandomForestClassifier(100, random_state=0).fit(train.x.reshape(len(train), -1), train.y)
    assert forest.score(test.x.reshape(len(test), -1), test.y) > 0.6, "the data can be learned from"


@pytest.mark.slow
def test_from_words_to_the_report(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pack(tmp_path / "data" / "speech_commands", contents(("yes", "no", "cat")))
    words = '{ kind = "speech_commands", variant = 12, words = ["yes", "no"], max_resolution = 16 }'
    spec = SPEC.replace('"digits"', words).replace("image_classification", "audio_classification")
    checkout.write_spec(spec.replace("resolutions = [8, 12]", "resolutions = [16]"), "words")
    built(checkout, "words", MCUBUILD_DATA=str(tmp_path / "data"))
    index = json.loads((checkout.path / "build" / "words" / "index.json").read_text())
    assert index["classes"] == ["yes", "no", "_unknown_", "_silence_"]
