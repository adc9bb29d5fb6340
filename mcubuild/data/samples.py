"""Samples in the forms that data sets have them: image files, recordings, arrays; and how each becomes pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.annotations import Annotation, Reader
from mcubuild.data.boxes import BoxLists
from mcubuild.data.files import File, digests
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.images import as_levels, read_images
from mcubuild.data.recordings import pictures_of, read_recordings
from mcubuild.data.room import pieces, room
from mcubuild.data.series import finite, levels, ranges
from mcubuild.data.splits import Pictures, Series
from mcubuild.spec.datasets.base import AudioSettings, BoxSettings, ImageSettings
from mcubuild.spec.outline import MAX_RESOLUTION


@dataclass(frozen=True)
class Read:
    """What samples have become."""

    chosen: dict[str, NDArray[np.int64]]
    """Indexes (N,) of the samples by split, without those that had to be left out."""
    pictures: dict[str, NDArray[np.uint8]]
    """(N, side, side, channels) by split, of series (N, side, 1, channels)."""
    origin: FrontEnd | Pictures | Series | None
    """How sounds, image files or values became these."""
    cautions: tuple[str, ...] = ()
    """What was odd about them."""
    noise: NDArray[np.uint8] | None = None
    """Pictures (M, side, side, channels) of noise to mix into those of sounds in training."""
    boxes: Mapping[str, BoxLists] | None = None
    """Of the pictures of each split, where that is what they have."""


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
class Values:
    """Images whose values are no levels yet, unless they are uint8."""

    x: NDArray[Any]
    """(N, H, W, channels), any integers or floats."""
    names: Sequence[str]
    corrupt: float
    """Share of them that may have values that are no numbers."""

    @property
    def pictures(self) -> bool:
        """People see them."""
        return True

    def contents(self) -> list[str]:
        """SHA-256 of each sample's numbers."""
        return [hashlib.sha256(sample.tobytes()).hexdigest() for sample in self.x]

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The squares in the middle, with the range of all values to train with as levels 0 to 255."""
        _, height, width, _ = self.x.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        squares = self.x[:, top : top + side, left : left + side]
        if squares.dtype == np.uint8:
            kept = {split: squares[indexes] for split, indexes in chosen.items()}
            return Read({**chosen}, kept, Pictures((width, height), None))
        found, cautions = finite(squares, chosen, self.names, self.corrupt)
        train = squares[found["train"]]
        low, high = float(train.min()), float(train.max())
        high = high if high > low else low + max(1.0, abs(low))
        scaled = {split: _levels(squares, indexes, low, high) for split, indexes in found.items()}
        return Read(found, scaled, Pictures((width, height), (low, high)), cautions)


def _levels(x: NDArray[Any], chosen: NDArray[np.int64], low: float, high: float) -> NDArray[np.uint8]:
    """The samples of ``x`` (N, ...) with the indexes ``chosen`` (M,) as levels, (M, ...)."""
    out = room((len(chosen), *x.shape[1:]))
    for piece in pieces(out):
        out[piece] = as_levels(x[chosen[piece]], low, high)
    return out


@dataclass(frozen=True)
class Windows:
    """Series of values, each channel with a range of its own."""

    x: NDArray[np.float32]
    """(N, T, channels)."""
    names: Sequence[str]
    channels: tuple[str, ...]
    """Names."""
    corrupt: float
    """Share of them that may have values that are no numbers."""

    @property
    def pictures(self) -> bool:
        """Nobody sees them."""
        return False

    def contents(self) -> list[str]:
        """SHA-256 of each sample's numbers."""
        return [hashlib.sha256(sample.tobytes()).hexdigest() for sample in self.x]

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The samples with these indexes, by split, as levels by the ranges of those to train with."""
        found, cautions = finite(self.x, chosen, self.names, self.corrupt)
        series, odd = ranges(self.x[found["train"]], self.channels)
        pictures = {split: levels(self.x[indexes], series) for split, indexes in found.items()}
        return Read(found, pictures, series, (*cautions, *odd))


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
class AnnotatedImages(_Files):
    """Image files with boxes around what is in them."""

    annotations: Sequence[Annotation]
    """Of each file."""
    classes: Sequence[str]
    """Names by label."""
    settings: BoxSettings

    @property
    def pictures(self) -> bool:
        """People see them."""
        return True

    def read(self, chosen: Mapping[str, NDArray[np.int64]]) -> Read:
        """The whole images with these indexes, by split, and their boxes."""
        largest = self.settings.max_resolution or MAX_RESOLUTION
        read = read_images(self._chosen(chosen), largest, self.settings.corrupt, whole=True)
        kept = {split: indexes[read.readable[split]] for split, indexes in chosen.items()}
        reader, boxes = Reader(self.classes), {}
        for split, indexes in kept.items():
            frames = zip(indexes.tolist(), read.frames[split].tolist(), strict=True)
            boxes[split] = BoxLists.of(
                [reader.boxes(self.annotations[at], self.files[at].name, tuple(frame)) for at, frame in frames]
            )
        cautions = (*read.cautions, *reader.cautions())
        return Read(kept, read.pixels, read.pictures, cautions, boxes=boxes)


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
