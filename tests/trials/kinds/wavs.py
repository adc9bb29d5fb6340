"""Mutated WAV files: each is read or refused by name, and what does not concern the sound changes no sample."""

import struct
import tempfile
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.files import PathFile
from mcubuild.data.recordings import read_recordings
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from tests.data.wavs import A_LAW, FLOAT, MU_LAW, PCM, tone, wav
from tests.trials.mutation import accepted, mutate, named, scribbled
from tests.trials.trial import WrongError

COUNT = 3000
PATIENCE = 10.0

_NOTE = struct.pack("<4sI26s", b"LIST", 26, b"INFOICMT\x0e\0\0\0by nobody here")
_SETTINGS = AudioFolderSettings.model_validate(
    {"kind": "audio_folder", "path": ".", "sample_rate": 8000, "duration": "250ms", "max_resolution": 16}
)


@cache
def samples() -> dict[str, tuple[bytes, tuple[range, ...]]]:
    """WAV files of all sorts, by name, and where each has what is not heard."""
    mono, stereo = tone(440), np.stack([tone(440), tone(700)], axis=1)
    found: dict[str, tuple[bytes, tuple[range, ...]]] = {}
    for name, sound, rate, bits, form in (
        ("8", mono, 8000, 8, PCM),
        ("16", mono, 8000, 16, PCM),
        ("24", mono, 11_025, 24, PCM),
        ("32", mono, 16_000, 32, PCM),
        ("float", mono, 8000, 32, FLOAT),
        ("double", stereo, 8000, 64, FLOAT),
        ("stereo", stereo, 44_100, 16, PCM),
        ("opposed", np.stack([mono, -mono], axis=1), 8000, 16, PCM),
        ("mu", mono, 8000, 8, MU_LAW),
        ("a", mono, 8000, 8, A_LAW),
    ):
        content = wav(sound, rate, bits, form, extra=_NOTE)
        note = content.index(b"LIST") + 8
        # The notes, the bytes a second, and the size of the whole.
        unheard = (range(note, note + 26), range(28, 32), range(4, 8))
        found[f"{name}.wav"] = (content, unheard)
        found[f"{name}_after.wav"] = (wav(sound, rate, bits, form) + _NOTE, ())
        found[f"{name}_piped.wav"] = (wav(sound, rate, bits, form, piped=True), (range(28, 32),))
    return found


def trial(rng: Random, folder: Path) -> None:
    """Read a mutated WAV; what only damages its notes must not change a sample."""
    files = samples()
    name = rng.choice(list(files))
    content, unheard = files[name]
    path = folder / name
    if unheard and rng.random() < 0.3:
        path.write_bytes(scribbled(content, rng.choice(unheard), rng))
        with accepted():
            if not np.array_equal(_read(path), whole(name)):
                raise WrongError("notes alone were damaged, and the sound changed")
    else:
        path.write_bytes(mutate(content, rng))
        with named(path):
            _read(path)


@cache
def whole(name: str) -> NDArray[np.uint8]:
    """The picture of an undamaged file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(samples()[name][0])
        return _read(path)


def _read(path: Path) -> NDArray[np.uint8]:
    pictures: NDArray[np.uint8] = read_recordings({"train": [PathFile(path, path.name)]}, _SETTINGS).pictures["train"][
        0
    ]
    return pictures
