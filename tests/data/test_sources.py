"""What names and folders tell of a sample, and how splits are drawn."""

import os
from pathlib import Path

import pytest

from mcubuild.data.kinds.audio_folder import CONTENT
from mcubuild.data.samples import Recordings
from mcubuild.data.sources import Listed, find_in_folder, scan
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from mcubuild.spec.pattern import compile_pattern

PATTERN = "{class}_{speaker}_{n}.wav"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def scanned(root: Path, **options: object) -> Listed:
    return scan(
        root, AudioFolderSettings.model_validate({"kind": "audio_folder", "path": str(root), **options}), CONTENT
    )


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        (PATTERN, "7_theo_31.wav", {"class": "7", "speaker": "theo", "n": "31"}),
        (PATTERN, "new_york_theo_31.wav", None),  # which underscore ends the class?
        (PATTERN, "sub/7_theo_31.wav", None),
        (PATTERN, "7_theo_31.WAV", None),
        (PATTERN, "7__31.wav", None),
        ("{class}/{speaker}_nohash_{n}.wav", "yes/0a7c2a8d_nohash_0.wav", {"class": "yes", "speaker": "0a7c2a8d"}),
        ("{class}/*.wav", "a b/x.y.wav", {"class": "a b"}),
        ("{class}/{speaker}_{n}.wav", "stop_sign/ann_3.wav", {"class": "stop_sign", "n": "3"}),
        ("{class}_*.wav", "7_theo_31.wav", {"class": "7"}),
        ("{class}-{n}.wav", "new_york-1.5.wav", {"class": "new_york", "n": "1.5"}),
        ("*/{class}.*", "1/cat.jpeg", {"class": "cat"}),
        ("{class}", "cat", {"class": "cat"}),
        ("(x)+{class}", "(x)+cat", {"class": "cat"}),
    ],
)
def test_fields(pattern: str, name: str, fields: dict[str, str] | None) -> None:
    match = compile_pattern(pattern).fullmatch(name)
    if fields is None:
        assert match is None
    else:
        assert match is not None and match.groupdict().items() >= fields.items()


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{speaker}_{n}.wav", r"one field must be \{class\}"),
        ("{class}{n}.wav", "nothing tells where the first ends"),
        ("{class}*.wav", "nothing tells where the first ends"),
        ("{class}_{class}.wav", "found {class} twice"),
        ("{class}_{}.wav", "a field is a name in braces"),
        ("{class}_{1}.wav", "a field is a name in braces"),
        ("{class", "one field must be"),
    ],
)
def test_bad_patterns(pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        compile_pattern(pattern)


def test_folders_give_the_classes(tmp_path: Path) -> None:
    samples = scanned(touch(tmp_path, "yes/1.wav", "yes/0.WAV", "no/0.wav", "readme.txt"))
    assert samples.classes == ("no", "yes")
    assert [path.name for path in samples.paths] == ["0.wav", "0.WAV", "1.wav"]
    assert (samples.labels, samples.splits, samples.groups) == ([0, 1, 1], [None] * 3, None)


def test_litter_is_no_sample(tmp_path: Path) -> None:
    litter = ("Thumbs.db", "thumbs.db", "Desktop.ini", "Icon\r", "@eaDir/0.wav", ".picasa.ini", "Picasa.ini")
    samples = scanned(touch(tmp_path, "a/0.wav", "b/0.wav", "__MACOSX/a/._0.wav", *(f"a/{name}" for name in litter)))
    assert samples.classes == ("a", "b") and [path.name for path in samples.paths] == ["0.wav", "0.wav"]


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_not_waited_for(tmp_path: Path, linked: bool) -> None:
    touch(tmp_path / "data", "a/0.wav", "b/0.wav")
    os.mkfifo(tmp_path / "pipe" if linked else tmp_path / "data/a/1.wav")
    if linked:
        (tmp_path / "data/a/1.wav").symlink_to(tmp_path / "pipe")
    with pytest.raises(BuildError, match=r"a/1.wav: is a pipe, a socket or a device"):
        scanned(tmp_path / "data")


def test_samples_in_no_class_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/0.wav", "train/b/0.wav", "train/c.wav", "test/a/0.wav", "test/b/0.wav", "d.WAV", "e.txt")
    settings = AudioFolderSettings(kind="audio_folder", path=".")
    found = find_in_folder(settings, tmp_path, CONTENT, lambda files: Recordings(files, settings))
    assert found.cautions == ("WAV files in no folder of a class were left out: 2 of 6 (d.WAV, train/c.wav)",)


def test_folders_give_the_splits(tmp_path: Path) -> None:
    samples = scanned(touch(tmp_path, *(f"{split}/{name}/0.wav" for split in ("train", "test") for name in "ab")))
    assert (samples.labels, samples.splits) == ([0, 1, 0, 1], ["train", "train", "test", "test"])


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Train", "VAL", "Testing"), ("training", "valid"), ("TRAIN", "dev")]
)
def test_splits_have_other_names_too(tmp_path: Path, names: tuple[str, ...]) -> None:
    samples = scanned(touch(tmp_path, *(f"{split}/{name}/0.wav" for split in names for name in "ab")))
    assert samples.classes == ("a", "b")
    assert samples.splits == [split for split in ("train", "val", "test")[: len(names)] for _ in "ab"]


def test_classes_keep_their_capitals_and_may_be_called_like_splits(tmp_path: Path) -> None:
    assert scanned(touch(tmp_path / "a", "Cat/0.wav", "DOG/0.wav")).classes == ("Cat", "DOG")
    assert scanned(touch(tmp_path / "b", "valid/0.wav", "invalid/0.wav")).classes == ("invalid", "valid")


def test_names_give_classes_splits_and_groups(tmp_path: Path) -> None:
    names = [f"{digit}_{speaker}_{n}.wav" for digit in "01" for speaker in ("ann", "bob") for n in (4, 5, 14)]
    touch(tmp_path, *names, "README.md")
    samples = scanned(tmp_path, pattern=PATTERN, group="speaker", test="*_[0-4].wav", val=["0_ann_5*", "*_14.wav"])
    assert samples.classes == ("0", "1") and samples.groups is not None
    found = zip(samples.paths, samples.splits, samples.groups, strict=True)
    for path, split, group in found:
        _, speaker, n = path.stem.split("_")
        assert group == speaker
        wanted = {"4": "test", "14": "val", "5": "val" if path.stem == "0_ann_5" else None}[n]
        assert split == wanted


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        (["0_a_1.wav", "1_b_2.wav", "odd.wav"], {"pattern": PATTERN}, r"odd\.wav: .* does not match dataset\.pattern"),
        (["0_a_1.wav", "0_b_2.wav"], {"pattern": PATTERN}, "found one class, '0'"),
        (["0_a_1.mp3", "1_b_2.mp3"], {"pattern": PATTERN}, r"found no WAV files \(\.wav\)"),
        (["0_a_1.wav", "1_b_2.wav"], {"pattern": PATTERN, "test": "*_7.wav"}, "no file fits dataset.test = '.*_7.wav'"),
        (
            ["0_a_1.wav", "1_b_2.wav"],
            {"pattern": PATTERN, "test": "0*", "val": "*_1.wav"},
            r"0_a_1\.wav: belongs to the split 'val' already, and dataset\.test fits it too",
        ),
        (["a/0.wav", "a/1.mp3", "b/0.wav"], {}, r"1\.mp3: not one of the WAV files .* \.wav; convert it"),
        (
            [
                "train/a/0.wav",
                "train/b/0.wav",
                "val/a/0.wav",
                "val/b/0.wav",
                "Validation/a/0.wav",
                "Validation/b/0.wav",
            ],
            {},
            r"found 'Validation' and 'val', which both stand for the split 'val'; put",
        ),
        (
            ["train/a/0.wav", "val/a/0.wav", "notes/0.wav"],
            {},
            r"train/a: found a folder among the WAV files of a class",
        ),
        (["a/0.wav"], {}, r"found 1 folders \(a\)"),
        (["train/a/0.wav", "train/b/0.wav", "test/a/0.wav", "test/c/0.wav"], {}, "the class 'b' is in one of"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, names: list[str], options: dict[str, object], told: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(BuildError, match=told):
        scanned(tmp_path, **options)
