"""Folders of machines' sounds: what is found in them, and what windows are."""

from pathlib import Path

import numpy as np
import pytest

from mcubuild.data.dataset import prepare
from mcubuild.data.features import mel_filters
from mcubuild.data.spectra import Spectra
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.anomaly_folder import AnomalyFolderSettings
from tests.data.machines import RATE, write_machine
from tests.data.wavs import tone, wav


def settings(path: Path, **keys: object) -> AnomalyFolderSettings:
    return AnomalyFolderSettings.model_validate({"kind": "anomaly_folder", "path": str(path), "bands": 32, **keys})


def test_windows_keep_their_recordings_together(tmp_path: Path) -> None:
    write_machine(tmp_path / "fan", train=12, test=4)
    prepare(settings(tmp_path / "fan"), tmp_path, 0, tmp_path / "out", "anomaly_detection")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.classes, index.channels, index.native_resolution) == (("normal", "anomalous"), 32, 5)
    assert index.outline.reconstructs and index.outline.outputs == 5 * 32 and not index.one_draw
    train, val, test = (read_split(tmp_path / "out" / f"{name}.npz") for name in ("train", "val", "test"))
    a_recording = ((RATE - 512) // 256 + 1 - 5) // 5 + 1
    assert len(train) + len(val) == 12 * a_recording and len(val) % a_recording == 0 == len(train) % a_recording
    assert train.x.shape[1:] == (5, 1, 32) and not train.y.any() and not val.y.any()
    assert test.targets.shape == (8 * a_recording, 2)
    assert np.bincount(test.recordings).tolist() == [a_recording] * 8  # type: ignore[arg-type]
    assert {tuple(row) for row in test.targets.tolist()} == {(int(one < 4), one) for one in range(8)}
    assert test.part(np.array([0, 9])).targets.tolist() == test.targets[[0, 9]].tolist()


def test_names_say_what_folders_do_not(tmp_path: Path) -> None:
    """As DCASE has them: one folder a split."""
    names = ("train/normal_id_1_0", "train/1", "test/normal_id_1_7", "test/anomaly_id_1_2", "val/Abnormal_3")
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wav(tone(300 + 100 * number, 0.5), 8000))
    prepare(settings(tmp_path, step=1), tmp_path, 0, tmp_path / "out")
    splits = {name: read_split(tmp_path / "out" / f"{name}.npz") for name in ("train", "val", "test")}
    recordings = {name: sorted({tuple(row) for row in split.targets.tolist()}) for name, split in splits.items()}
    assert recordings == {"train": [(0, 0), (0, 1)], "val": [(1, 0)], "test": [(0, 1), (1, 0)]}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("a.wav",), "a.wav: is in none of the folders train, val and test"),
        (("train/anomalous/a.wav",), "networks learn what is normal"),
        (("train/a.wav", "test/b.wav"), "neither its folder nor its name begins with normal or anomalous"),
        (("train/a.wav", "test/normal/b.wav"), "found no anomalous WAV files of the test split"),
        ((), "found no normal WAV files of the train split"),
    ],
)
def test_layouts_that_say_too_little(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(wav(tone(440), 8000))
    with pytest.raises(BuildError, match=message) as error:
        prepare(settings(tmp_path), tmp_path, 0, tmp_path / "out")
    assert len(str(error.value)) < 500


def test_recordings_that_are_too_short_are_refused(tmp_path: Path) -> None:
    write_machine(tmp_path / "fan", train=3, test=2, seconds=0.15)
    with pytest.raises(BuildError, match=r"lasts 0.15 s; a window of 5 frames needs 0.192 s"):
        prepare(settings(tmp_path / "fan"), tmp_path, 0, tmp_path / "out")


def test_windows_are_levels_of_mel_bands() -> None:
    """A sine of full scale has 0 dB in all its bands together; half of it 6 dB less; silence the least."""
    spectra = Spectra(8000, 512, 256, 32, 5, 5)
    sine = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    windows = spectra.windows(sine)
    assert windows.shape == (6, 5, 32) and windows.dtype == np.float32
    filters = mel_filters(32, spectra.fft, 8000, 20.0, 4000.0)
    assert int(windows[0, 0].argmax()) == int(filters[:, spectra.fft // 8].argmax())
    np.testing.assert_allclose(spectra.windows(sine / 2).max(), windows.max() - 20 * np.log10(2), atol=1e-4)
    assert (spectra.windows(np.zeros(2000)) == -120).all()
    assert len(spectra.windows(sine[: spectra.least])) == 1
