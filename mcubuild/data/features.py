"""Sounds as pictures: spectrograms with one row a mel band and one column a frame.

A clip x of ``clip`` samples, -1 ... 1, less their mean (microphones add a constant), becomes a picture of ``side`` x
``side`` pixels:

    X[t, k] = sum over n of  hann[n] x[t hop + n] exp(-2 pi i k n / fft),   hann[n] = (1 - cos(2 pi n / window)) / 2
    P[t, k] = |X[t, k]|^2 / (sum of hann / 2)^2                             a full-scale sine has 1
    M[t, b] = sum over k of  F[b, k] P[t, k]
    L[t, b] = 10 log10(max(M[t, b], 1e-14))                                 in dB
    S[t, b] = max(L[t, b] - max(largest L of the clip, -60), -80)           -80 ... 0 dB

F are triangles with a peak of 1 whose corners are equally spaced in mel = 2595 log10(1 + f / 700), the scale of HTK
(Young et al., The HTK Book, section 5.4), each from the centre of its lower neighbour to that of its upper one. Levels
are relative to the loudest one: how far off the speaker was, and the gain of the microphone, do not matter. The -60 dB
keep silence dark, and with the 1e-14 (-140 dB) whatever is padded is black.

``log_mel`` is S. ``mfcc`` is its orthonormal discrete cosine transform along the bands (DCT-II), the mel-frequency
cepstrum (Davis and Mermelstein, IEEE TASSP 28, 1980). Both become pixels by ``low`` and ``high``:

    pixel = round(255 (feature - low) / (high - low)), at least 0 and at most 255

The picture has the first frame on the left and the lowest band, or coefficient 0, at the bottom.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.front_end import FrontEnd

LOWEST = 20.0
"""Hz, where hearing begins; below is rumble."""
RANGE = 80.0
"""dB from black to white."""
_SILENCE = -60.0
"""dB; nothing quieter than that is taken for the loudest sound of a clip."""
_FLOOR = 10 ** ((_SILENCE - RANGE) / 10)
"""Power whose level is black in every clip."""
_OVERLAP = 1.4
"""Windows as long as this many hops, at least: what falls between two frames would be missed."""


def design(sample_rate: int, duration: float, window: float, side: int) -> FrontEnd:
    """The ``log_mel`` front end that makes a picture of ``side`` frames and bands from ``duration`` seconds.

    Args:
        sample_rate: Hz.
        duration: seconds.
        window: seconds of a frame, made longer where frames would leave gaps.
        side: frames and bands.

    Raises:
        ValueError: there are too few samples for so many frames.
    """
    samples = round(sample_rate * duration)
    wanted = max(round(sample_rate * window), math.ceil(_OVERLAP * samples / (side - 1 + _OVERLAP)))
    hop = (samples - wanted) // (side - 1)
    if hop < 1:
        raise ValueError(
            f"{samples} samples are too few for {side} frames of {wanted} samples; "
            f"give dataset.duration more, or dataset.window or dataset.max_resolution less"
        )
    highest = sample_rate / 2
    fft = 1 << (wanted - 1).bit_length()
    while not mel_filters(side, fft, sample_rate, LOWEST, highest).any(axis=1).all():
        fft *= 2  # a band lies between two frequencies
    clip = wanted + hop * (side - 1)
    return FrontEnd("log_mel", sample_rate, clip, wanted, hop, fft, side, LOWEST, highest, (-RANGE,), (0.0,))


def features(clip: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.float64]:
    """Features (side bands or coefficients, side frames) of a clip (``front_end.clip``,)."""
    frames = np.lib.stride_tricks.sliding_window_view(clip, front_end.window)[:: front_end.hop]
    hann = (1 - np.cos(2 * np.pi * np.arange(front_end.window) / front_end.window)) / 2
    spectrum = np.fft.rfft(frames * hann, front_end.fft)
    power = np.abs(spectrum) ** 2 / (hann.sum() / 2) ** 2
    filters = mel_filters(front_end.side, front_end.fft, front_end.sample_rate, front_end.lowest, front_end.highest)
    level = 10 * np.log10(np.maximum(filters @ power.T, _FLOOR))
    relative: NDArray[np.float64] = np.maximum(level - max(level.max(), _SILENCE), -RANGE)
    if front_end.features == "mfcc":
        from scipy.fft import dct

        return np.asarray(dct(relative, norm="ortho", axis=0))
    return relative


def picture(values: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.uint8]:
    """Features (side, side) as pixels (side, side, 1), turned upside down: low notes are at the bottom."""
    low, high = np.array(front_end.low)[:, np.newaxis], np.array(front_end.high)[:, np.newaxis]
    pixels = np.clip(np.round(255 * (values - low) / (high - low)), 0, 255)
    upright: NDArray[np.uint8] = pixels.astype(np.uint8)[::-1, :, np.newaxis]
    return upright


@cache
def mel_filters(bands: int, fft: int, sample_rate: int, lowest: float, highest: float) -> NDArray[np.float64]:
    """Weights (bands, fft / 2 + 1) of the lines of a power spectrum in mel bands between two frequencies in Hz."""
    mels = np.linspace(_mel(lowest), _mel(highest), bands + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    lines = np.arange(fft // 2 + 1) * sample_rate / fft
    widths = np.diff(corners)[:, np.newaxis]
    rising = (lines - corners[:-2, np.newaxis]) / widths[:-1]
    falling = (corners[2:, np.newaxis] - lines) / widths[1:]
    return np.maximum(0, np.minimum(rising, falling))


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
