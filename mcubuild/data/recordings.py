"""Folders of WAV files as pictures of their sounds."""

import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.features import design, features, picture
from mcubuild.data.front_end import FrontEnd
from mcubuild.errors import BuildError
from mcubuild.progress import Bar, bar
from mcubuild.spec.dataset import DatasetSettings

_LARGEST_RATE = 16_000
"""Hz that the spec's default does not go above: speech has little beyond 8 kHz."""
_WINDOW = 0.030
"""Seconds in which speech hardly changes."""
_SIDE = 48
"""Frames and bands: a frame every 20 ms of a second, as is usual for keywords."""
_LOOKED_AT = 1000
"""Training recordings that durations and ranges are taken from."""
_INSIDE = (0.1, 99.9)
"""Percentiles of a cepstral coefficient between which its range lies."""


def read_recordings(
    splits: Mapping[str, Sequence[Path]], settings: DatasetSettings
) -> tuple[dict[str, NDArray[np.uint8]], FrontEnd]:
    """Pictures (N, side, side, 1) of each split's recordings, and how they were made.

    What the settings leave open is taken from the training recordings alone, up to a thousand of them.

    Raises:
        BuildError: a file cannot be read, or the clips are too short for so many frames.
    """
    train = splits["train"]
    looked_at = [train[index] for index in np.linspace(0, len(train) - 1, min(_LOOKED_AT, len(train))).astype(int)]
    passes = 2 if settings.features == "mfcc" else 1
    with bar("read audio", passes * len(looked_at) + sum(map(len, splits.values()))) as progress:
        front_end = _design(looked_at, settings, progress)
        if settings.features == "mfcc":
            front_end = _with_ranges(replace(front_end, features="mfcc"), looked_at, progress)
        pictures = {}
        for split, paths in splits.items():
            pictures[split] = np.empty((len(paths), front_end.side, front_end.side, 1), np.uint8)
            for pixels, path in zip(pictures[split], paths, strict=True):
                pixels[...] = picture(_features(path, front_end), front_end)
                progress.advance()
    return pictures, front_end


def _design(paths: Sequence[Path], settings: DatasetSettings, progress: Bar) -> FrontEnd:
    rates, durations = [], []
    for path in paths:
        rate, sound = read_wav(path)
        rates.append(rate)
        durations.append(len(sound) / rate)
        progress.advance()
    rate = settings.sample_rate or min(_LARGEST_RATE, int(np.median(rates)))
    duration = settings.duration or float(np.percentile(durations, 95))
    try:
        return design(rate, duration, settings.window or _WINDOW, settings.max_resolution or _SIDE)
    except ValueError as error:
        raise BuildError(f"dataset: {error}.") from None


def _with_ranges(front_end: FrontEnd, paths: Sequence[Path], progress: Bar) -> FrontEnd:
    values = []
    for path in paths:
        values.append(_features(path, front_end))
        progress.advance()
    low, high = np.percentile(np.stack(values), _INSIDE, axis=(0, 2))
    high = np.maximum(high, low + 1)  # a coefficient that is always the same
    return replace(front_end, low=tuple(low.round(2).tolist()), high=tuple(high.round(2).tolist()))


def _features(path: Path, front_end: FrontEnd) -> NDArray[np.float64]:
    rate, sound = read_wav(path)
    return features(centred(resampled(sound, rate, front_end.sample_rate), front_end.clip), front_end)


def read_wav(path: Path) -> tuple[int, NDArray[np.float64]]:
    """Sampling rate in Hz and samples (N,), -1 ... 1, of a WAV file: PCM or float of any width, channels averaged.

    Raises:
        BuildError: the file cannot be read, is cut off, or holds no sound.
    """
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks with an author's name and the like
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, data = wavfile.read(path)
    except (
        OSError,
        ValueError,
        EOFError,
        NameError,
        ZeroDivisionError,
        struct.error,
        wavfile.WavFileWarning,
    ) as error:
        # SciPy meets a file without samples with a NameError, and one without channels with a division by zero.
        told = "it has no samples" if isinstance(error, NameError) else error
        raise BuildError(f"{path}: cannot be read as a WAV file ({told}); replace or remove it.") from None
    if data.dtype.kind == "u":
        sound = data.astype(np.float64) / 128 - 1
    elif data.dtype.kind == "i":
        sound = data / -float(np.iinfo(data.dtype).min)
    else:
        sound = data.astype(np.float64)
    if sound.ndim == 2:
        sound = sound.mean(axis=1)
    if not len(sound) or not rate or not np.isfinite(sound).all():
        raise BuildError(f"{path}: holds no sound ({len(sound)} samples at {rate} Hz); replace or remove it.")
    return int(rate), sound


def resampled(sound: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    """Samples (N,) at ``wanted`` instead of ``rate`` Hz: (ceil(N wanted / rate),), without aliasing."""
    if rate == wanted:
        return sound
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    return np.asarray(resample_poly(sound, wanted // common, rate // common))


def centred(sound: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """The middle ``samples`` of a sound (N,), or all of it between equal silences."""
    missing = max(0, samples - len(sound))
    padded = np.pad(sound, (missing // 2, missing - missing // 2))
    start = (len(padded) - samples) // 2
    return padded[start : start + samples]
