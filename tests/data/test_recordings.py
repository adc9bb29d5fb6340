"""WAV files of every kind, and what a folder of them becomes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from mcubuild.data.dataset import prepare
from mcubuild.data.files import PathFile
from mcubuild.data.inventory import read_inventory
from mcubuild.data.recordings import cancel, centred, middle, read_wav, resampled
from mcubuild.data.splits import Split, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from tests.data.wavs import A_LAW, FLOAT, MU_LAW, tone, wav, write_tones

PATTERN = "{class}_{speaker}_{n}.wav"


def settings(path: Path, **options: object) -> AudioFolderSettings:
    return AudioFolderSettings.model_validate(
        {"kind": "audio_folder", "path": str(path), "max_resolution": 16, **options}
    )


def read(root: Path, content: bytes) -> tuple[int, np.ndarray]:
    (root / "one.wav").write_bytes(content)
    return read_wav(PathFile(root / "one.wav", "one.wav"))


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


def test_channels_that_cancel_are_not_averaged(tmp_path: Path) -> None:
    """The second is wired the wrong way round, and a bit quieter; each has an offset of its own."""
    sound = tone(440)
    found = read(tmp_path, wav(np.stack([sound + 0.1, -0.9 * sound - 0.1], axis=1)))[1]
    np.testing.assert_allclose(found, sound + 0.1, atol=1e-4)
    assert cancel(np.stack([sound, -sound], axis=1)) and cancel(np.stack([sound, -sound, 0 * sound], axis=1))
    noise = np.random.default_rng(0).normal(size=(2400, 2))
    assert not cancel(noise) and not cancel(noise[:, :1]) and not cancel(np.stack([sound, 0 * sound], axis=1))


def test_wired_wrong_is_told_and_never_silence(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones")
    for number in range(4):
        sound = tone(300, 0.3)
        (tmp_path / "tones" / f"low_a_{number}.wav").write_bytes(wav(np.stack([sound, -sound], axis=1)))
    prepare(settings(Path("tones"), pattern=PATTERN), tmp_path, 0, tmp_path)
    assert all(part.x.max() == 255 and (np.ptp(part.x, axis=(1, 2)) > 99).all() for part in splits(tmp_path).values())
    [told] = [line for line in read_inventory(tmp_path / "inventory.json").cautions if "cancel" in line]
    assert told.startswith("Channels that cancel each other; the louder one was taken: 4 of 38 (low_a_")


@pytest.mark.parametrize("features", ["log_mel", "mfcc"])
@pytest.mark.parametrize("options", [{}, {"sample_rate": "6kHz"}, {"duration": "100ms"}])
def test_a_constant_changes_no_pixel(tmp_path: Path, features: str, options: dict[str, object]) -> None:
    """As microphones add it: neither of clips that are padded, nor resampled, nor cut."""
    pictures = []
    for offset in (0, 328, 3277, 13107):
        folder = write_tones(tmp_path / str(offset))
        for path in folder.glob("*.wav"):
            rate, sound = read_wav(PathFile(path, path.name))
            path.write_bytes(wav(sound * 32768 / 32767 + offset / 32767, rate))
        chosen = settings(folder, pattern=PATTERN, features=features, val="*_3.wav", test="*_[0-2].wav", **options)
        prepare(chosen, tmp_path, 0, tmp_path / f"out{offset}")
        pictures.append(np.concatenate([part.x for part in splits(tmp_path / f"out{offset}").values()]))
    assert all((picture == pictures[0]).all() for picture in pictures)


@pytest.mark.parametrize("sizes", [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (0x7FFFF024, 0x7FFFF000), (36, 0), (9636, 0)])
def test_sizes_that_a_pipe_left_open(tmp_path: Path, sizes: tuple[int, int]) -> None:
    """As ffmpeg, GStreamer, SoX and a recorder that was switched off leave them; the last frame may be cut off."""
    sound = tone(440)
    content = wav(np.stack([sound, sound], axis=1))
    whole, data = (struct.pack("<I", size) for size in sizes)
    at = content.index(b"data") + 4
    for more in (b"", b"\1", b"\1\2\3"):
        found = read(tmp_path, content[:4] + whole + content[8:at] + data + content[at + 4 :] + more)[1]
        np.testing.assert_allclose(found, sound, atol=2e-4)


def test_extensible_rf64_and_big_endian_files(tmp_path: Path) -> None:
    sound = tone(440)
    plain = wav(sound, bits=24)
    data = plain[44:]
    form = struct.pack("<HHIIHHHHIH14s", 0xFFFE, 1, 8000, 24000, 3, 24, 22, 24, 4, 1, bytes(14))
    extensible = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<I", 40) + form + plain[36:]
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, len(plain) + 36, len(data), len(sound), 0)
    long = b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + plain[12:40] + b"\xff" * 4 + data + b"LIST\4\0\0\0junk"
    big = b"RIFX" + bytes(4) + b"WAVEfmt " + struct.pack(">IHHIIHH", 16, 1, 1, 8000, 24000, 3, 24)
    big += b"data" + struct.pack(">I", len(data)) + np.frombuffer(data, np.uint8).reshape(-1, 3)[:, ::-1].tobytes()
    for content in (extensible, long, b"BW64" + long[4:], big):
        np.testing.assert_allclose(read(tmp_path, content)[1], sound, atol=1e-6)


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_chunks_of_odd_size_with_and_without_padding(tmp_path: Path, padding: bytes) -> None:
    extra = struct.pack("<4sI5s", b"note", 5, b"hello") + padding
    np.testing.assert_allclose(read(tmp_path, wav(tone(440), extra=extra))[1], tone(440), atol=2e-4)


def test_a_file_without_sound_is_not_read_on(tmp_path: Path) -> None:
    """The size 0 of its data is meant: another chunk follows."""
    with pytest.raises(BuildError, match="holds no sound"):
        read(tmp_path, wav(np.zeros(0)) + struct.pack("<4sI4s", b"LIST", 4, b"INFO"))


def test_what_follows_the_sound_is_no_sound(tmp_path: Path) -> None:
    found = read(tmp_path, wav(tone(440), bits=8)[:-1] + b"\x80" + struct.pack("<4sI4s", b"LIST", 4, b"INFO"))[1]
    assert len(found) == len(tone(440))


@pytest.mark.parametrize("form", [A_LAW, MU_LAW])
def test_telephone_sound(tmp_path: Path, form: int) -> None:
    """All bytes, against the tables of ITU-T G.711 written down byte by byte."""
    content = wav(np.zeros(256), bits=8, form=form)
    found = read(tmp_path, content[:44] + bytes(range(256)))[1]
    for byte in range(256):
        code = byte ^ (0x55 if form == A_LAW else 0xFF)
        segment, step = code >> 4 & 7, code & 15
        if form == MU_LAW:
            size, positive = ((step << 3) + 132 << segment) - 132, not code & 0x80
        else:
            size = (step << 4) + 8 if segment == 0 else (step << 4) + 264 << segment - 1
            positive = bool(code & 0x80)
        assert found[byte] * 32768 == (size if positive else -size)


def test_odd_recordings_are_told(tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "tones", 20)
    (folder / "low_a_0.wav").write_bytes(wav(np.clip(tone(300, level=3.0), -1, 1)))
    (folder / "mid_a_0.wav").write_bytes(wav(tone(300, rate=4000), rate=4000))
    (folder / "mid_b_1.wav").write_bytes(wav(tone(300, 3.0)))
    (folder / "high_a_0.wav").write_bytes(wav(np.zeros(2400)))
    chosen = settings(Path("tones"), pattern=PATTERN, sample_rate="8kHz", duration="400ms", val="*_1.wav")
    prepare(chosen, tmp_path, 0, tmp_path)
    told = " | ".join(read_inventory(tmp_path / "inventory.json").cautions)
    assert "Clipped recordings, of 1 % of full-scale samples or more: 1 of 60 (low_a_0.wav)" in told
    assert "Recorded at less than 8000 Hz, so that the upper bands are empty: 1 of 60 (mid_a_0.wav)" in told
    assert "in the middle are read, which is less than half of the recording: 1 of 60 (mid_b_1.wav)" in told
    assert "Samples that show nothing (of one level: blank, black, silent): 1 of 60 (high_a_0.wav)" in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a WAV file"),
        (b"not a sound at all, but long enough to be one, were it not for its text", "cannot be read as a WAV file"),
        (wav(tone(440))[:30], "cannot be read as a WAV file"),
        (wav(tone(440))[:-1000], "cannot be read as a WAV file .*EOF"),
        (wav(np.zeros(0)), "one.wav: holds no sound|no samples"),
        (wav(tone(440), form=7), "cannot be read as a WAV file .*MULAW"),
        (wav(tone(440), form=2), "cannot be read as a WAV file .*ADPCM .* ffmpeg -i"),
        (b"ID3\3" + bytes(99), "begins with b'ID3"),
        (wav(np.full(100, np.nan), bits=32, form=FLOAT), "holds no sound"),
        (wav(np.full(100, 1e30), bits=32, form=FLOAT), "holds no sound"),
        (wav(tone(440))[:24] + b"\xff" * 4 + wav(tone(440))[28:], "4294967295 Hz"),
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


@pytest.mark.parametrize("rate", [8_000, 44_100, 11_025, 100, 7_919])
def test_what_is_resampled_is_what_is_kept(rate: int) -> None:
    """Every bit of what resampling the whole would give."""
    rng = np.random.default_rng(rate)
    for count in (1, 37, 4_001, 30_000 if rate > 1000 else 300):
        sound = rng.normal(size=count)
        whole = resampled(sound, rate, 16_000)
        for samples in (1, 100, 7_999):
            expected = centred(whole, min(len(whole), samples))
            np.testing.assert_array_equal(middle(sound, rate, 16_000, samples), expected)


def test_rates_that_have_nothing_in_common_take_no_longer(tmp_path: Path) -> None:
    """A filter for 999,983 Hz has 20 million weights."""
    sound = np.sin(2 * np.pi * 440 * np.arange(999_983) / 999_983)
    level = middle(sound, 999_983, 16_000, 8_000)
    spectrum = np.abs(np.fft.rfft(level * np.hanning(8_000)))
    assert abs(int(spectrum.argmax()) - 220) <= 1 and len(level) == 8_000


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
