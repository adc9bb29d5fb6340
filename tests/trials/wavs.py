"""Mutated WAV files: each is read or refused by name, and what does not concern the sound changes no sample.

``python -m tests.trials.wavs --count 3000 --seed 0``
"""

import argparse
import random
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.recordings import read_recordings
from mcubuild.spec.dataset import DatasetSettings
from tests.data.wavs import A_LAW, FLOAT, MU_LAW, PCM, tone, wav
from tests.trials.damage import Tally, attempt, mutate, quiet, scribbled

_NOTE = struct.pack("<4sI26s", b"LIST", 26, b"INFOICMT\x0e\0\0\0by nobody here")
_SETTINGS = DatasetSettings.model_validate(
    {"kind": "audio_folder", "path": ".", "sample_rate": 8000, "duration": "250ms", "max_resolution": 16}
)


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


def trial(count: int, seed: int) -> Tally:
    """Read ``count`` mutated files."""
    files, generator, tally = samples(), random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as folder, quiet(tally):
        whole = {}
        for name, (content, _) in files.items():
            path = Path(folder) / f"whole_{name}"
            path.write_bytes(content)
            whole[name] = _read(path)
        for number in range(count):
            name = generator.choice(list(files))
            content, unheard = files[name]
            path = Path(folder) / f"{number}_{name}"
            if unheard and generator.random() < 0.3:
                path.write_bytes(scribbled(content, generator.choice(unheard), generator))
                same = lambda: "read with its sound" if (_read(path) == whole[name]).all() else "wrong"  # noqa: B023,E731
                attempt(tally, f"{path.name}, notes", path, same, "refused for its notes")
            else:
                path.write_bytes(mutate(content, generator))
                attempt(tally, path.name, path, lambda: "read" if _read(path) is not None else "")  # noqa: B023
            path.unlink()
    return tally


def _read(path: Path) -> NDArray[np.uint8]:
    pictures: NDArray[np.uint8] = read_recordings({"train": [path]}, path.parent, _SETTINGS)[0]["train"][0]
    return pictures


def main(count: int, seed: int) -> int:
    """Print what came of ``count`` files; 1 if anything is neither read nor refused."""
    tally = trial(count, seed)
    print(tally.told("WAVs"))
    for line in tally.bad[:20]:
        print(line)
    return int(bool(tally.bad))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    sys.exit(main(**vars(parser.parse_args())))
