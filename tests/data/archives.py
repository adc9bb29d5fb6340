"""Archives as Speech Commands is packed."""

import io
import tarfile
from pathlib import Path

import numpy as np

from tests.data.wavs import tone, wav

RATE = 8000
SPEAKERS = [f"{number:08x}" for number in range(30)]
"""Seven of them are to validate by, two to test with, by the published rule."""


def sound(pitch: float, speaker: int) -> np.ndarray:
    rng = np.random.default_rng([round(pitch), speaker])
    clean = tone(pitch * (1 + speaker / 500), seconds=0.3, rate=RATE, level=0.4)
    return clean + 0.01 * rng.standard_normal(len(clean))


def contents(words: tuple[str, ...]) -> dict[str, bytes]:
    found = {
        f"{word}/{name}_nohash_0.wav": wav(sound(200 + 60 * number, speaker), RATE)
        for number, word in enumerate(words)
        for speaker, name in enumerate(SPEAKERS)
    }
    rng = np.random.default_rng(0)
    for number in range(2):
        found[f"_background_noise_/hum{number}.wav"] = wav(0.1 * rng.standard_normal(20 * RATE), RATE)
    return found | {"README.md": b"words", "_background_noise_/README.md": b"noise", "LICENSE": b"CC BY 4.0"}


def pack(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "speech_commands_v0.02.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return folder
