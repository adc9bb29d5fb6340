"""Speech Commands: whose recordings are in which split, classes, silence, archives, damage."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.kinds.speech_commands import published_split
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.speech_commands import WORDS, SpeechCommandsSettings
from tests.data.archives import SPEAKERS, contents, pack
from tests.data.wavs import wav

LISTS = Path(__file__).parents[3] / "shared" / "data" / "speech_commands_lists.tar.gz"
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def settings(path: Path, **options: object) -> SpeechCommandsSettings:
    return SpeechCommandsSettings.model_validate(
        {"kind": "speech_commands", "path": str(path), "max_resolution": 16, "duration": 0.5, **options}
    )


def counts(ours: SpeechCommandsSettings, out: Path) -> dict[str, list[int]]:
    prepare(ours, out.parent, 0, out)
    labels = {name: read_split(out / f"{name}.npz").y for name in ("train", "val", "test")}
    return {name: np.bincount(y, minlength=len(ours.classes)).tolist() for name, y in labels.items()}


@pytest.mark.parametrize(
    ("speaker", "split"),
    [
        ("00000000", "val"),  # 12825483 of 2^27 - 1: 9.56 %
        ("00000001", "train"),  # 68408999: 50.97 %
        ("00000002", "test"),  # 22031018: 16.41 %
        ("ada", "val"),  # 6267904: 4.67 %
    ],
)
def test_published_rule_on_names_made_up(speaker: str, split: str) -> None:
    """The last 27 bits are those that sha1sum prints: every word and take of a speaker is in one split."""
    for name in (f"yes/{speaker}_nohash_0.wav", f"go/{speaker}_nohash_12.wav"):
        assert published_split(name) == split


@pytest.mark.skipif(not LISTS.exists(), reason="no published lists here")
def test_published_rule_gives_the_published_lists() -> None:
    found = {}
    with tarfile.open(LISTS) as archive:
        for split, name in (("val", "validation"), ("test", "testing")):
            file = archive.extractfile(f"speech_commands_lists/{name}_list.txt")
            assert file is not None
            lines = file.read().decode().split()
            assert {published_split(line) for line in lines} == {split}
            found[split] = len(lines)
    assert found == {"val": 9981, "test": 11005}


def test_words_are_classes(tmp_path: Path) -> None:
    ours = settings(write(tmp_path / "data", contents(WORDS)))
    found = counts(ours, tmp_path / "out")
    assert found == {"train": [21] * 35, "val": [7] * 35, "test": [2] * 35}
    index = read_index(tmp_path / "out" / "index.json")
    assert index.classes == WORDS and index.outline == ours.outline() and not index.one_draw
    noise = read_split(tmp_path / "out" / "train.npz").noise
    assert noise is not None and noise.shape == (2 * 32, 16, 16, 1)  # 16 of each 20 s, in pieces of half a second
    assert read_split(tmp_path / "out" / "val.npz").noise is None


def test_twelve_classes(tmp_path: Path) -> None:
    ours = settings(write(tmp_path / "data", contents(WORDS)), variant=12)
    found = counts(ours, tmp_path / "out")
    assert found == {"train": [21] * 12, "val": [7] * 12, "test": [2] * 12}
    assert read_index(tmp_path / "out" / "index.json").classes == (*COMMANDS, "_unknown_", "_silence_")


def test_lists_come_before_the_rule(tmp_path: Path) -> None:
    files = contents(("yes", "no", "cat"))
    files["validation_list.txt"] = b"".join(f"{word}/{SPEAKERS[0]}_nohash_0.wav\n".encode() for word in ("yes", "no"))
    files["testing_list.txt"] = b"".join(
        f"{word}/{name}_nohash_0.wav\n".encode() for name in SPEAKERS[1:6] for word in ("yes", "no")
    )
    ours = settings(write(tmp_path / "data", files), words=["yes", "no"])
    assert counts(ours, tmp_path / "out") == {"train": [24] * 2, "val": [1] * 2, "test": [5] * 2}


def test_archive_is_read_as_the_folder_is(tmp_path: Path) -> None:
    files = contents(("yes", "no", "cat"))
    for form, place in (("folder", write(tmp_path / "data", files)), ("archive", pack(tmp_path / "packed", files))):
        prepare(settings(place, words=["no", "cat"]), tmp_path, 0, tmp_path / form)
    for name in ("index.json", "train.npz", "val.npz", "test.npz"):
        assert (tmp_path / "folder" / name).read_bytes() == (tmp_path / "archive" / name).read_bytes()
    sources = kind("speech_commands").sources({"path": "packed"}, tmp_path)
    assert list(sources) == ["speech_commands_v0.02.tar.gz"]


def test_damaged_recordings(tmp_path: Path) -> None:
    """Of 300: one is left out and told; four are too many."""
    files = contents(COMMANDS)
    files[f"yes/{SPEAKERS[0]}_nohash_0.wav"] = b"RIFF"
    ours = settings(write(tmp_path / "data", files), words=list(COMMANDS))
    prepare(ours, tmp_path, 0, tmp_path / "out")
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert any("Recordings that cannot be read were left out: 1 of 300" in line for line in told)
    for speaker in SPEAKERS[1:4]:
        write(tmp_path / "data", {f"no/{speaker}_nohash_0.wav": wav(np.zeros(0))})
    with pytest.raises(BuildError, match=r"4 of 300 .*more than dataset.corrupt = 0.01"):
        prepare(ours, tmp_path, 0, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {}, "found no recordings of 32 of the 35 words"),
        ({}, {"words": ["yes", "nope"]}, r"1 of the 2 words \(nope\)"),
        ({"testing_list.txt": b"yes/none_nohash_0.wav\n"}, {"words": ["yes", "no"]}, "is not there"),
    ],
)
def test_what_is_missing_is_told(
    tmp_path: Path, change: dict[str, bytes], options: dict[str, object], message: str
) -> None:
    ours = settings(write(tmp_path / "data", contents(("yes", "no", "cat")) | change), **options)
    with pytest.raises(BuildError, match=message) as error:
        prepare(ours, tmp_path, 0, tmp_path / "out")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["one/00000000_nohash_1.flac", "one/more/00000000_nohash_1.wav"])
def test_what_is_no_recording_among_those_of_a_word_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path / "speech", {**contents(("one", "two")), name: b"fLaC"})
    with pytest.raises(BuildError, match=rf"{name}: no recording of a word that can be read; allowed in one/"):
        counts(settings(tmp_path / "speech", words=["one", "two"]), tmp_path / "out")


@pytest.mark.parametrize("folder", [".cache", "one"])
def test_the_archive_is_read_beside_folders_that_have_nothing(tmp_path: Path, folder: str) -> None:
    path = pack(tmp_path / "speech", contents(("one", "two")))
    (path / folder).mkdir()
    found = counts(settings(path, words=["one", "two"]), tmp_path / "out")
    assert sum(map(sum, found.values())) == 2 * len(SPEAKERS)


def test_no_noise_no_silence(tmp_path: Path) -> None:
    files = {name: content for name, content in contents(("yes", "no")).items() if "_background" not in name}
    ours = settings(write(tmp_path / "data", files), variant=12, words=["yes", "no"])
    with pytest.raises(BuildError, match="found no recording long enough to cut silence from"):
        prepare(ours, tmp_path, 0, tmp_path / "out")


def test_cut_off_archive(tmp_path: Path) -> None:
    archive = pack(tmp_path / "packed", contents(("yes", "no"))) / "speech_commands_v0.02.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(BuildError, match="cannot be read as an archive"):
        prepare(settings(tmp_path / "packed", words=["yes", "no"]), tmp_path, 0, tmp_path / "out")
