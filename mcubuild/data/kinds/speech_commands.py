"""Speech Commands: a folder of WAV files a word, and which speakers are there to validate and to test by.

Layout and rule: Warden, arXiv 1804.03209, and the archive's README.md.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind, always
from mcubuild.data.places import place
from mcubuild.data.sources import entries, files_below

if TYPE_CHECKING:
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.speech_commands import SpeechCommandsSettings

_ARCHIVE = "speech_commands_v0.02.tar.gz"
_NOISE = "_background_noise_"
_LISTS = {"val": "validation_list.txt", "test": "testing_list.txt"}
_BUCKETS = 1 << 27
"""Of the rule: as many as the archive may ever have recordings of a word."""
_UP_TO = {"val": 10.0, "test": 20.0}
"""Percent of the buckets below which a speaker is held out: a tenth to validate by, another one to test with."""
_SHARE = 0.1
"""Of the words' samples, as many as there are of ``_unknown_`` and of ``_silence_``: the share of the authors'."""
_QUIETEST = -40.0
"""dB by which silence is at most quieter than the recorded noise."""


def published_split(name: str) -> str:
    """The split of a file by the published rule: its speaker, ``abc`` of ``yes/abc_nohash_0.wav``, decides alone."""
    speaker = _speaker(name)
    bucket = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % _BUCKETS
    percent = bucket * 100.0 / (_BUCKETS - 1)
    return next((split for split, end in _UP_TO.items() if percent < end), "train")


def _speaker(name: str) -> str:
    return name.rpartition("/")[2].partition("_nohash_")[0]


def _archive(folder: Path) -> Path | None:
    """The archive, where nobody has unpacked it."""
    unpacked = folder.is_dir() and any(entry.is_dir() and entries(entry.path) for entry in entries(folder))
    archive = folder / _ARCHIVE
    return archive if archive.is_file() and not unpacked else None


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    folder = place("speech_commands", settings["path"], root)
    archive = _archive(folder)
    return files_below(folder) if archive is None else {_ARCHIVE: archive}


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    return () if _sources(settings, root) else (_ARCHIVE,)


def _find(settings: "SpeechCommandsSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.cuts import Noise
    from mcubuild.data.samples import Recordings
    from mcubuild.errors import BuildError
    from mcubuild.spec.datasets.speech_commands import SILENCE, UNKNOWN

    folder = place(settings.kind, settings.path, root)
    there = _files(folder)
    words = [name for name in settings.classes if name not in (UNKNOWN, SILENCE)]
    of_word: dict[str, list[str]] = {}
    for name in sorted(there):
        word, slash, rest = name.partition("/")
        if slash and "/" not in rest and name.lower().endswith(".wav"):
            of_word.setdefault(word, []).append(name)
        elif slash and word in words:
            raise BuildError(
                f"{there[name]}: no recording of a word that can be read; allowed in {word}/ are .wav files alone: "
                f"convert it (ffmpeg -i in out.wav), or move it elsewhere."
            )
    noise = Noise([there[name] for name in of_word.pop(_NOISE, [])], settings.duration or 1.0)
    if lacking := [word for word in words if word not in of_word]:
        has = ", ".join(list(of_word)[:10]) or "none"
        raise BuildError(
            f"{folder}: found no recordings of {len(lacking)} of the {len(words)} words ({', '.join(lacking[:5])}); "
            f"get the archive again, or name words that are there with dataset.words: {has}."
        )
    split_of = _splits(there, [name for names in of_word.values() for name in names], folder)
    files: list[File] = []
    labels: list[int] = []
    splits: list[str | None] = []
    speakers: list[str] = []

    def add(files_of: Sequence["File"], label: int, split: str, groups: Sequence[str]) -> None:
        files.extend(files_of)
        labels.extend([label] * len(files_of))
        splits.extend([split] * len(files_of))
        speakers.extend(groups)

    for label, word in enumerate(words):
        for name in of_word[word]:
            add([there[name]], label, split_of[name], [_speaker(name)])
    if settings.variant == 12:
        if not len(noise):
            raise BuildError(
                f"{folder / _NOISE}: found no recording long enough to cut silence from; get the archive again, or set "
                f"dataset.variant = 35."
            )
        others = [name for word, names in of_word.items() if word not in words for name in names]
        others.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        rng = np.random.default_rng(0)
        for split, count in {split: round(_SHARE * splits.count(split)) for split in ("train", "val", "test")}.items():
            some = [name for name in others if split_of[name] == split][:count]
            add([there[name] for name in some], len(words), split, [_speaker(name) for name in some])
            silence = noise.pieces(split, count, 10 ** (rng.uniform(_QUIETEST, 0, count) / 20))
            add(silence, len(words) + 1, split, [cut.name for cut in silence])
    return Found(
        settings.classes,
        np.array(labels, np.int64),
        Recordings(files, settings, noise.whole("train")),
        splits,
        speakers,
        dict.fromkeys(("val", "test"), settings.val_fraction),
    )


def _files(folder: Path) -> "dict[str, File]":
    """The files by name below the archive's folder."""
    from mcubuild.data.files import PathFile, unpacked

    if archive := _archive(folder):
        return {file.name: file for file in unpacked(archive)}
    return {name: PathFile(path, name) for name, path in files_below(folder).items()}


def _splits(there: "Mapping[str, File]", names: Sequence[str], folder: Path) -> dict[str, str]:
    """The split of each of the recordings with these ``names``.

    Raises:
        BuildError: a list has files that are not there, or that are in the other one, too.
    """
    from mcubuild.errors import BuildError, reading

    found = {name: published_split(name) for name in names}
    listed = dict[str, str]()
    for split, called in _LISTS.items():
        if called not in there:
            continue
        with reading(folder / called, "a list of files"), there[called].open() as file:
            lines = [line.strip() for line in file.read().decode().splitlines() if line.strip()]
        for name in (name for name, drawn in found.items() if drawn == split):
            found[name] = "train"  # the list knows better
        if wrong := [name for name in lines if name not in found or name in listed]:
            where = "is in both lists" if wrong[0] in listed else "is not there"
            raise BuildError(
                f"{folder / called}: {len(wrong)} of its {len(lines)} files are missing or listed twice: {wrong[0]} "
                f"{where}; get the archive again, or remove the lists to split by the published rule."
            )
        listed |= dict.fromkeys(lines, split)
    return found | listed


KIND = Kind("recordings", _sources, _find, _lacking, foretold=always)
