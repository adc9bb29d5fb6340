"""Samples in the forms that data sets have them: image files, recordings, arrays; and how each becomes pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.files import File, digests
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.images import read_images
from mcubuild.data.recordings import pictures_of, read_recordings
from mcubuild.data.splits import Pictures
from mcubuild.spec.datasets.base import AudioSettings, ImageSettings
from mcubuild.spec.outline import MAX_RESOLUTION


@dataclass(frozen=True)
class Read:
    """What samples have become."""

    chosen: dict[str, NDArray[np.int64]]
    """Indexes (N,) of the samples by split, without those that had to be left out."""
    pictures: dict[str, NDArray[np.uint8]]
    """(N, side, side, channels) by split."""
    origin: FrontEnd | Pictures | None
    """How sounds or image files became these."""
    cautions: tuple[str, ...] = ()
    """What was odd about them."""
    noise: NDArray[np.uint8] | None = None
    """Pictures (M, side, side, channels) of noise to mix into those of sounds in training."""


class Samples(Protocol):
    """The samples of a data set before they are split."""

    @property
    def names(self) -> Sequence[str]:
        """Of each sample, as messages call it."""

    @property
    def pictures(self) -> bool:
        """Whether people see them, so that training may vary them as the eye allows; not sounds, nor measurements."""

    def contents(self) -> list[str]:
        """SHA-256 of each sample's file, or of its numbers where there is no file, in hexadecimal."""

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The samples with these indexes, by split, ``train`` among them.

        Raises:
            BuildError: one cannot be read.
        """


@dataclass(frozen=True)
class Arrays:
    """Samples that are numbers already."""

    x: NDArray[np.uint8]
    """(N, side, side, channels)."""
    names: Sequence[str]
    pictures: bool

    def contents(self) -> list[str]:
        """SHA-256 of each sample's numbers."""
        return [hashlib.sha256(sample.tobytes()).hexdigest() for sample in self.x]

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The samples with these indexes, by split."""
        return Read({**chosen}, {split: self.x[indexes] for split, indexes in chosen.items()}, None)


@dataclass(frozen=True)
class _Files:
    """Samples that are files, one each."""

    files: Sequence[File]

    @property
    def names(self) -> Sequence[str]:
        """Of each sample."""
        return [file.name for file in self.files]

    def contents(self) -> list[str]:
        """SHA-256 of each file."""
        return digests(self.files)

    def _chosen(self, chosen: Mapping[str, NDArray[np.int64]]) -> dict[str, list[File]]:
        return {split: [self.files[index] for index in indexes.tolist()] for split, indexes in chosen.items()}


@dataclass(frozen=True)
class Images(_Files):
    """Image files."""

    settings: ImageSettings
    colour: bool = False
    """RGB, even if all are grey."""

    @property
    def pictures(self) -> bool:
        """People see them."""
        return True

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The images with these indexes, by split."""
        largest = self.settings.max_resolution or MAX_RESOLUTION
        read = read_images(self._chosen(chosen), largest, self.settings.corrupt, colour=self.colour)
        kept = {split: indexes[read.readable[split]] for split, indexes in chosen.items()}
        return Read(kept, read.pixels, read.pictures, read.cautions)


@dataclass(frozen=True)
class Recordings(_Files):
    """WAV files."""

    settings: AudioSettings
    noise: Sequence[File] = ()
    """Recordings of noise."""

    @property
    def pictures(self) -> bool:
        """People hear them."""
        return False

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The spectrograms of the recordings with these indexes, by split."""
        read = read_recordings(self._chosen(chosen), self.settings)
        kept = {split: indexes[read.readable[split]] for split, indexes in chosen.items()}
        noise = pictures_of(self.noise, read.front_end) if self.noise else None
        return Read(kept, read.pictures, read.front_end, read.cautions, noise)
