"""WAV files of every kind, and what a folder of them becomes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.recordings import centred, read_wav, resampled
from mcubuild.data.splits import Split, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.dataset import DatasetSettings
from tests.data.wavs import FLOAT, tone, wav, write_tones

PATTERN = "{class}_{speaker}_{n}.wav"


def settings(path: Path, **options: object) -> DatasetSettings:
    return DatasetSettings.model_validate({"kind": "audio_folder", "path": str(path), "max_resolution": 16, **options})


def read(root: Path, content: bytes) -> tuple[int, np.ndarray]:
    (root / "one.wav").write_bytes(content)
    return read_wav(root / "one.wav")


def splits(out: Path) -> dict[str, Split]:
    return {name: read_split(out / f"{name}.npz") for name in ("train", "val", "test")}


@pytest.mark.parametrize(("bits", "step"), [(8, 2 / 127), (16, 2e-4), (24, 1e-6), (32, 1e-7)])
def test_pcm_of_every_width(tmp_path: Path, bits: int, step: float) -> None:
    sound = tone(440, level=0.9)
    rate, found = read(tmp_path, wav(sound, bits=bits))
    assert rate == 8000
    np.testing.assert_allclose(found, sound, atol=step)


@pytest.mark.parametrize("bits", [32, 64])
def test_float(tmp_path: Path, bits: int) -> None:
    sound = tone(440)
    np.testing.assert_allclose(read(tmp_path, wav(sound, bits=bits, form=FLOAT))[1], sound, atol=1e-7)


def test_channels_are_averaged_and_other_chunks_skipped(tmp_path: Path) -> None:
    left, right = tone(440), tone(700)
    extra = struct.pack("<4sI4s", b"bext", 4, b"note") + struct.pack("<4sI4s", b"LIST", 4, b"INFO")
    _, found = read(tmp_path, wav(np.stack([left, right], axis=1), extra=extra))
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a WAV file"),
        (b"not a sound at all, but long enough to be one, were it not for its text", "cannot be read as a WAV file"),
        (wav(tone(440))[:30], "cannot be read as a WAV file"),
        (wav(tone(440))[:-1000], "cannot be read as a WAV file .*EOF"),
        (wav(np.zeros(0)), "one.wav: holds no sound|no samples"),
        (wav(tone(440), form=7), "cannot be read as a WAV file .*MULAW"),
        (wav(np.full(100, np.nan), bits=32, form=FLOAT), "holds no sound"),
        (wav(tone(440))[:36] + b"junk", "cannot be read as a WAV file"),
        (wav(tone(440))[:22] + b"\0\0" + wav(tone(440))[24:], "cannot be read as a WAV file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BuildError, match=message) as caught:
        read(tmp_path, content)
    assert "one.wav" in str(caught.value)


@pytest.mark.parametrize("rate", [4000, 11025, 12345, 16000, 22050, 44100, 48000])
def test_any_rate_becomes_the_wanted_one(rate: int) -> None:
    sound = tone(440, 0.5, rate)
    found = resampled(sound, rate, 8000)
    assert len(found) == -(-len(sound) * 8000 // rate)
    expected = tone(440, 0.5, 8000)
    count = min(len(found), len(expected))
    assert np.abs(found[:count] - expected[:count])[200:-200].max() < 0.02


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resampled(tone(15_000, 0.5, 44_100), 44_100, 8000)[200:-200]).max() < 0.01


def test_the_middle_is_kept() -> None:
    sound = np.arange(1.0, 6)
    assert centred(sound, 5).tolist() == sound.tolist()
    assert centred(sound, 3).tolist() == [2, 3, 4]
    assert centred(sound, 8).tolist() == [0, 1, 2, 3, 4, 5, 0, 0]


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones")
    prepare(settings(Path("tones"), pattern=PATTERN, test="*_[0-2].wav"), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.kind, index.task, index.classes) == ("audio_folder", "audio_classification", ("high", "low", "mid"))
    assert (index.native_resolution, index.max_resolution, index.channels) == (16, 16, 1)
    inventory = read_inventory(tmp_path / "out" / "inventory.json")
    assert inventory.splits["test"] == 9
    assert inventory.splits["train"] + inventory.splits["val"] == 27 and inventory.splits["val"] >= 3
    assert index.front_end is not None
    assert (index.front_end.sample_rate, index.front_end.features) == (8000, "log_mel")
    assert index.front_end.clip / 8000 == pytest.approx(0.355, abs=0.005), "95 % of the training clips are not longer"
    rows = {"high": [], "low": [], "mid": []}  # type: dict[str, list[float]]
    for split in splits(tmp_path / "out").values():
        assert split.x.shape[1:] == (16, 16, 1) and split.x.max() == 255
        for x, y in zip(split.x, split.y, strict=True):
            rows[index.classes[y]].append(float(x[..., 0].mean(axis=1).argmax()))
    assert max(rows["high"]) < min(rows["mid"]) and max(rows["mid"]) < min(rows["low"]), "low notes are at the bottom"


@pytest.mark.parametrize("features", ["log_mel", "mfcc"])
def test_equal_seeds_give_equal_bytes(tmp_path: Path, features: str) -> None:
    for place in ("here", "there"):
        write_tones(tmp_path / place / "tones")
        prepare(settings(Path("tones"), pattern=PATTERN, features=features), tmp_path / place, 3, tmp_path / place)
    for name in ("index.json", "inventory.json", "train.npz", "val.npz", "test.npz"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    front_end = read_index(tmp_path / "here" / "index.json").front_end
    assert front_end is not None and len(front_end.low) == (16 if features == "mfcc" else 1)


@pytest.mark.parametrize("features", ["log_mel", "mfcc"])
def test_test_recordings_have_no_influence_on_the_others(tmp_path: Path, features: str) -> None:
    """Neither on the clips' length nor on rate or ranges."""
    options = settings(Path("tones"), pattern=PATTERN, test="*_[0-2].wav", features=features)
    folder = write_tones(tmp_path / "tones")
    prepare(options, tmp_path, 0, tmp_path / "before")
    for number, path in enumerate(sorted(folder.glob("*_[0-2].wav"))):
        path.write_bytes(wav(tone(3000 + number, 5.0, 44_100, 1.0), rate=44_100, bits=24))
    prepare(options, tmp_path, 0, tmp_path / "after")
    for name in ("index.json", "train.npz", "val.npz"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
    assert (tmp_path / "before" / "test.npz").read_bytes() != (tmp_path / "after" / "test.npz").read_bytes()


def test_settings_are_kept(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones")
    options = {"sample_rate": "4kHz", "duration": "200ms", "window": "40ms", "max_resolution": 12}
    prepare(settings(Path("tones"), pattern=PATTERN, **options), tmp_path, 0, tmp_path)
    front_end = read_index(tmp_path / "index.json").front_end
    assert front_end is not None
    assert (front_end.sample_rate, front_end.window, front_end.side) == (4000, 160, 12)
    assert 788 < front_end.clip <= 800


def test_clips_too_short_for_their_frames_are_told(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones")
    with pytest.raises(BuildError, match=r"dataset: 248 samples are too few .* dataset\.duration"):
        prepare(settings(Path("tones"), pattern=PATTERN, duration="31ms"), tmp_path, 0, tmp_path)


def test_a_bad_recording_leaves_nothing(tmp_path: Path) -> None:
    (write_tones(tmp_path / "tones") / "low_a_0.wav").write_bytes(wav(tone(300))[:-100])
    with pytest.raises(BuildError, match=r"low_a_0\.wav: cannot be read"):
        prepare(settings(Path("tones"), pattern=PATTERN), tmp_path, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()
