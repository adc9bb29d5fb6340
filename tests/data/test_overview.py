"""Samples to be looked at: which ones, and that label, picture and sound belong together."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.data.dataset import prepare
from mcubuild.data.examples import EXAMPLES, pick
from mcubuild.data.overview import Overview, read_overview
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from mcubuild.spec.datasets.base import DatasetSettings
from mcubuild.spec.datasets.digits import DigitsSettings
from mcubuild.spec.datasets.image_folder import ImageFolderSettings

RATE = 8000


def prepared(settings: DatasetSettings, root: Path, out: Path) -> Overview:
    prepare(settings, root, 0, out)
    return read_overview(out / "overview.json", out / "overview.npz")


def grey(folder: Path) -> ImageFolderSettings:
    """Pictures whose level is that of their name, and tells the class."""
    for label, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            level = 100 * label + number
            noise = np.random.default_rng(level).integers(0, 2, (16, 16)) + level
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"{level}.png")
    return ImageFolderSettings.model_validate({"kind": "image_folder", "path": str(folder)})


@pytest.mark.parametrize("classes", [1, 2, 3, 5, 10, 12, 35, 1000])
def test_a_dozen_different_samples_of_as_many_classes_as_there_are(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = {split: rng.integers(0, classes, 100 * classes) for split in ("train", "val", "test")}
    found = pick(labels, classes)
    assert len(found) == len(set(found)) == EXAMPLES
    assert {label for _, label, _ in found} >= {0, classes - 1}
    assert len({label for _, label, _ in found}) == min(classes, EXAMPLES)
    assert [split for split, _, _ in found].count("train") == EXAMPLES / 2
    assert all(labels[split][at] == label for split, label, at in found)
    assert [label for _, label, _ in found] == sorted(label for _, label, _ in found)


def test_what_there_is_is_shown_where_that_is_less() -> None:
    assert pick({"train": [0, 1], "val": [0], "test": [0]}, 2) == [("train", 0, 0), ("test", 0, 0), ("train", 1, 1)]
    assert pick({"train": [], "val": [], "test": []}, 3) == []


def test_names_labels_and_pictures_belong_together(tmp_path: Path) -> None:
    shown = prepared(grey(tmp_path / "files"), tmp_path, tmp_path / "out")
    splits = {name: read_split(tmp_path / "out" / f"{name}.npz") for name in ("train", "val", "test")}
    assert shown.counts == {name: tuple(np.bincount(split.y).tolist()) for name, split in splits.items()}
    assert shown.pictures and len(shown.examples) == EXAMPLES
    for one, x in zip(shown.examples, shown.x, strict=True):
        folder, _, file = one.name.partition("/")
        assert ("dark", "light")[one.label] == folder
        assert abs(float(x.mean()) - int(Path(file).stem)) < 1
        split = splits[one.split]
        assert one.sound is None and any((x == y).all() for y in split.x[split.y == one.label])


def test_sounds_are_those_of_their_files(tmp_path: Path) -> None:
    """Each sounds at a frequency that its name tells."""
    for label, name in enumerate(("low", "high")):
        (tmp_path / "files" / name).mkdir(parents=True)
        for number in range(20):
            hertz = 500 + 1500 * label + 20 * number
            sound = 0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE)
            with wave.open(str(tmp_path / "files" / name / f"{hertz}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes((sound * 32767).astype("<i2").tobytes())
    settings = AudioFolderSettings.model_validate({"kind": "audio_folder", "path": "files"})
    shown = prepared(settings, tmp_path, tmp_path / "out")
    clip = read_index(tmp_path / "out" / "index.json").front_end
    assert clip is not None and shown.pictures and len(shown.examples) == EXAMPLES
    for one in shown.examples:
        assert one.sound is not None
        with wave.open(io.BytesIO(one.sound)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 1, clip.clip)
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        spectrum = np.abs(np.fft.rfft(heard))
        assert abs(spectrum.argmax() * RATE / len(heard) - int(Path(one.name).stem)) < 4
        assert 0.45 * 32768 < heard.max() < 0.55 * 32768, "as loud as it was recorded"


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    prepared(DigitsSettings(kind="digits"), tmp_path, tmp_path)
    for damage in ("{", '{"counts": {}}', '{"counts": [], "examples": [{}], "pictures": true}'):
        (tmp_path / "overview.json").write_text(damage)
        with pytest.raises(BuildError, match=r"overview\.json: not a data set's overview"):
            read_overview(tmp_path / "overview.json", tmp_path / "overview.npz")
