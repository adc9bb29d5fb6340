"""Training samples varied at random, in ways that leave their class alone."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SHIFT = 0.1
"""Largest shift of a picture, as a share of its side."""
MASK = 0.15
"""Largest width of what is wiped out of a spectrogram, as a share of its side."""

Pictures: TypeAlias = NDArray[np.uint8]
"""(N, R, R, C)"""


@dataclass(frozen=True)
class Variation:
    """What may be done to the samples of a data set."""

    task: str
    """Of the spec."""
    mirror: bool = False
    """Whether left and right may change places: of photos, mostly; digits and signs do not survive it."""

    def __call__(self, x: Pictures, rng: np.random.Generator) -> Pictures:
        """Each picture varied on its own."""
        if self.task == "audio_classification":
            return vary_spectrograms(x, rng)
        return vary_images(x, rng, mirror=self.mirror)


def vary_images(x: Pictures, rng: np.random.Generator, *, mirror: bool = False) -> Pictures:
    """Each image moved in both directions; if ``mirror``, half of them mirrored."""
    x = _shifted(x, _reach(x), _reach(x), rng)
    if not mirror:
        return x
    chosen = rng.random(len(x)) < 0.5
    return np.where(chosen[:, np.newaxis, np.newaxis, np.newaxis], x[:, :, ::-1], x)


def vary_spectrograms(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Each spectrogram moved in time, then a stretch of time and a range of bands replaced by its mean.

    The masks are SpecAugment's (arXiv 1904.08779): a network that must do without either does not lean on one sound.
    """
    x = _shifted(x, 0, _reach(x), rng)
    hidden = _stretches(x, rng)[:, np.newaxis, :] | _stretches(x, rng)[:, :, np.newaxis]
    means = x.mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    return np.where(hidden[..., np.newaxis], means, x)


def _reach(x: Pictures) -> int:
    side: int = x.shape[1]
    return round(SHIFT * side)


def _shifted(x: Pictures, down: int, right: int, rng: np.random.Generator) -> Pictures:
    """Each picture moved by up to ``down`` and ``right`` pixels to either side; the border is repeated."""
    samples, side = x.shape[:2]
    padded = np.pad(x, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    rows, columns = rng.integers(2 * down + 1, size=samples), rng.integers(2 * right + 1, size=samples)
    moved: Pictures = windows[np.arange(samples), rows, columns].transpose(0, 2, 3, 1)
    return moved


def _stretches(x: Pictures, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A random stretch of a picture's side for each picture, (N, R)."""
    samples, side = x.shape[:2]
    width = rng.integers(round(MASK * side) + 1, size=samples)
    start = rng.integers(side - width + 1)
    position = np.arange(side)
    inside: NDArray[np.bool_] = (position >= start[:, np.newaxis]) & (position < (start + width)[:, np.newaxis])
    return inside
