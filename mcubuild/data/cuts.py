"""Pieces of long recordings, as samples of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.files import File
from mcubuild.data.recordings import read_wav

_PARTS = {"train": (0.0, 0.8), "val": (0.8, 0.9), "test": (0.9, 1.0)}
"""Of each recording, so that no split has a moment of another one's."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A piece of a recording, as a WAV file of 32-bit floats."""

    name: str
    rate: int
    """Hz."""
    sound: NDArray[np.float64]
    """(N,), -1 ... 1."""

    def __str__(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        """The file."""
        from scipy.io import wavfile

        content = BytesIO()
        wavfile.write(content, self.rate, self.sound.astype(np.float32))
        content.seek(0)
        return content


class Noise:
    """Long recordings, of which each split has a part of its own."""

    def __init__(self, files: Sequence[File], seconds: float) -> None:
        """Pieces are ``seconds`` long; recordings too short for one in each split are left alone.

        Raises:
            BuildError: a file cannot be read.
        """
        self._recordings = []
        for file in files:
            rate, sound = read_wav(file)
            piece = round(rate * seconds)
            if all(round(end * len(sound)) - round(start * len(sound)) >= piece for start, end in _PARTS.values()):
                self._recordings.append((file.name, rate, sound, piece))

    def __len__(self) -> int:
        return len(self._recordings)

    def whole(self, split: str) -> list[Cut]:
        """All of a split's part, in pieces behind each other."""
        found = []
        for name, rate, sound, piece in self._recordings:
            start, end = self._part(sound, split)
            found += [_cut(name, rate, sound, at, piece) for at in range(start, end - piece + 1, piece)]
        return found

    def pieces(self, split: str, count: int, gains: NDArray[np.float64]) -> list[Cut]:
        """``count`` pieces, evenly spread over a split's part of the recordings.

        Args:
            split: ``train``, ``val`` or ``test``.
            count: 0 without recordings.
            gains: factors (count,) by which they are made quieter.
        """
        found = []
        for number in range(count):
            name, rate, sound, piece = self._recordings[number % len(self)]
            start, end = self._part(sound, split)
            turn, turns = number // len(self), -(-count // len(self))
            at = start + (end - piece - start) * turn // max(1, turns - 1)
            found.append(_cut(name, rate, sound, at, piece, gains[number]))
        return found

    def _part(self, sound: NDArray[np.float64], split: str) -> tuple[int, int]:
        start, end = _PARTS[split]
        return round(start * len(sound)), round(end * len(sound))


def _cut(name: str, rate: int, sound: NDArray[np.float64], at: int, piece: int, gain: float = 1.0) -> Cut:
    return Cut(f"{name} at {at / rate:.2f} s", rate, gain * sound[at : at + piece])
