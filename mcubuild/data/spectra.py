"""Sounds as windows of log-mel frames at their true level, for networks that tell whether a machine sounds as ever.

Of samples x, -1 ... 1, at ``sample_rate``, frame t and band b:

    X[t, k] = sum over n of  hann[n] x[t hop + n] exp(-2 pi i k n / fft),   hann[n] = (1 - cos(2 pi n / window)) / 2
    P[t, k] = |X[t, k]|^2 / (sum of hann / 2)^2                             a full-scale sine has 1
    L[t, b] = 10 log10(max(sum over k of F[b, k] P[t, k], 1e-12))           in dB, -120 at the least

F are ``features.mel_filters``. Levels are not relative, as those of ``features`` are: a machine that grows loud is
news.
A window is ``frames`` of these behind each other, as MLPerf Tiny's anomaly detection has it (arXiv 2106.07597).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.features import LOWEST, mel_filters

_FLOOR = 1e-12


@dataclass(frozen=True)
class Spectra:
    """How sounds become windows."""

    sample_rate: int
    """Hz."""
    window: int
    """Samples of a frame."""
    hop: int
    """Samples from one frame to the next."""
    bands: int
    frames: int
    """Of a window."""
    step: int
    """Frames from one window to the next."""

    @property
    def fft(self) -> int:
        """Points of the Fourier transform: the power of two from which on every band has a line."""
        points = 1 << (self.window - 1).bit_length()
        while not mel_filters(self.bands, points, self.sample_rate, LOWEST, self.sample_rate / 2).any(axis=1).all():
            points *= 2
        return points

    @property
    def least(self) -> int:
        """Samples of a sound that has a window."""
        return self.window + (self.frames - 1) * self.hop

    def windows(self, sound: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows (M, frames, bands), in dB, of a sound (N,) of ``least`` samples or more."""
        fft = self.fft
        pieces = np.lib.stride_tricks.sliding_window_view(sound, self.window)[:: self.hop]
        hann = (1 - np.cos(2 * np.pi * np.arange(self.window) / self.window)) / 2
        power = np.abs(np.fft.rfft(pieces * hann, fft)) ** 2 / (hann.sum() / 2) ** 2
        filters = mel_filters(self.bands, fft, self.sample_rate, LOWEST, self.sample_rate / 2)
        levels = (10 * np.log10(np.maximum(power @ filters.T, _FLOOR))).astype(np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(levels, self.frames, axis=0)[:: self.step]
        return np.ascontiguousarray(cut.transpose(0, 2, 1))
