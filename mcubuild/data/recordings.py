"""Folders of WAV files as pictures of their sounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.checks import Findings
from mcubuild.data.damage import Damage
from mcubuild.data.features import design, features, picture
from mcubuild.data.files import File
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.wav import read_channels
from mcubuild.errors import BuildError
from mcubuild.progress import Bar, bar
from mcubuild.spec.datasets.base import AudioSettings
from mcubuild.spec.outline import AUDIO_SIDE

LARGEST_RATE = 16_000
"""Hz that the spec's default does not go above: speech has little beyond 8 kHz."""
_WINDOW = 0.030
"""Seconds in which speech hardly changes."""
_LOOKED_AT = 1000
"""Training recordings that durations and ranges are taken from."""
_INSIDE = (0.1, 99.9)
"""Percentiles of a cepstral coefficient between which its range lies."""
_LEFT = 0.9
"""Of the power that unrelated channels leave in their mean; with less, they work against each other."""
_FULL_SCALE = 0.99
"""Largest sample, from which on a recording can be clipped."""
_LARGEST_DENOMINATOR = 10_000
"""Of the ratio of two rates."""
_CLIPPED = 0.01
"""Share of samples that are as large as the largest one in a clipped recording; a sine has far fewer."""


@dataclass(frozen=True)
class RecordingsRead:
    """What WAV files have become."""

    pictures: dict[str, NDArray[np.uint8]]
    """(M, side, side, 1) by split, of those that could be read."""
    readable: dict[str, NDArray[np.bool_]]
    """Which of a split's files these are (N,)."""
    front_end: FrontEnd
    cautions: tuple[str, ...]


def read_recordings(splits: Mapping[str, Sequence[File]], settings: AudioSettings) -> RecordingsRead:
    """Pictures of each split's recordings.

    What the settings leave open is taken from the training recordings alone, up to a thousand of them.

    Args:
        splits: the files by split, ``train`` among them.
        settings: the spec's dataset section.

    Raises:
        BuildError: more files than ``settings.corrupt`` allows cannot be read, or the clips are too short for so many
            frames.
    """
    train = splits["train"]
    looked_at = [train[index] for index in np.linspace(0, len(train) - 1, min(_LOOKED_AT, len(train))).astype(int)]
    passes = 2 if settings.features == "mfcc" else 1
    count = sum(map(len, splits.values()))
    findings, damage = Findings(), Damage("recordings")
    with bar("read audio", passes * len(looked_at) + count) as progress:
        front_end = _design(looked_at, settings, damage, progress)
        if settings.features == "mfcc":
            front_end = _with_ranges(replace(front_end, features="mfcc"), looked_at, damage, progress)
        pictures, readable = {}, {}
        for split, files in splits.items():
            pictures[split] = np.empty((len(files), front_end.side, front_end.side, 1), np.uint8)
            readable[split] = np.zeros(len(files), np.bool_)
            for number, file in enumerate(files):
                with damage.noted(file):
                    rate, channels = read_channels(file)
                    _look_at(file, rate, channels, front_end, findings)
                    pictures[split][number] = picture(_features(rate, mixed(channels), front_end), front_end)
                    readable[split][number] = True
                progress.advance()
    damage.refuse_more_than(settings.corrupt, count)
    kept = {split: pictures[split][mask] for split, mask in readable.items()}
    return RecordingsRead(kept, readable, front_end, (*damage.cautions(count), *findings.cautions(count)))


def pictures_of(files: Sequence[File], front_end: FrontEnd) -> NDArray[np.uint8]:
    """Pictures (N, side, side, 1) of recordings.

    Raises:
        BuildError: one cannot be read.
    """
    return np.stack([picture(_features(*read_wav(file), front_end), front_end) for file in files])


def _design(files: Sequence[File], settings: AudioSettings, damage: Damage, progress: Bar) -> FrontEnd:
    rates, durations = [], []
    for file in files:
        with damage.noted(file):
            rate, sound = read_wav(file)
            rates.append(rate)
            durations.append(len(sound) / rate)
        progress.advance()
    if not rates:
        damage.refuse_more_than(0, len(files))
    rate = settings.sample_rate or min(LARGEST_RATE, int(np.median(rates)))
    duration = settings.duration or float(np.percentile(durations, 95))
    try:
        return design(rate, duration, settings.window or _WINDOW, settings.max_resolution or AUDIO_SIDE)
    except ValueError as error:
        raise BuildError(f"dataset: {error}.") from None


def _with_ranges(front_end: FrontEnd, files: Sequence[File], damage: Damage, progress: Bar) -> FrontEnd:
    values = []
    for file in files:
        with damage.noted(file):
            values.append(_features(*read_wav(file), front_end))
        progress.advance()
    low, high = np.percentile(np.stack(values), _INSIDE, axis=(0, 2))
    high = np.maximum(high, low + 1)  # a coefficient that is always the same
    return replace(front_end, low=tuple(low.round(2).tolist()), high=tuple(high.round(2).tolist()))


def _features(rate: int, sound: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.float64]:
    return features(heard(rate, sound, front_end), front_end)


def heard(rate: int, sound: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.float64]:
    """The middle (``clip``,) of a sound, at the front end's rate, without the constant that a microphone adds to it.

    The mean is taken away twice: before resampling and padding, which would make steps of it, and of the samples that
    are kept, as a device knows no others.
    """
    kept = middle(sound - sound.mean(), rate, front_end.sample_rate, front_end.clip)
    return centred(kept - kept.mean(), front_end.clip)


def middle(sound: NDArray[np.float64], rate: int, wanted: int, samples: int) -> NDArray[np.float64]:
    """The middle ``samples`` of what ``resampled`` gives, or all if these are fewer; no others are computed."""
    up, down = _ratio(rate, wanted)
    length = -(-len(sound) * up // down)
    start = max(0, length - samples) // 2
    # The filter reaches ten samples of the lower rate to either side; at every `down` samples both rates coincide.
    reach = 10 * max(up, down) // up + 2
    first = max(0, start * down // up - reach) // down * down
    last = (start + samples) * down // up + reach
    level = resampled(sound[first:last], rate, wanted)
    begin = start - first * up // down
    return level[begin : begin + min(length, samples)]


def _look_at(file: File, rate: int, channels: NDArray[np.float64], front_end: FrontEnd, findings: Findings) -> None:
    """Tell what is odd about the recording in ``file``."""
    if cancel(channels):
        findings.add("Channels that cancel each other; the louder one was taken", file.name)
    size = np.abs(channels)
    if size.max() >= _FULL_SCALE and (size >= size.max()).mean() >= _CLIPPED:
        findings.add("Clipped recordings, of 1 % of full-scale samples or more", file.name)
    if rate < front_end.sample_rate:
        findings.add(f"Recorded at less than {front_end.sample_rate} Hz, so that the upper bands are empty", file.name)
    if len(channels) * front_end.sample_rate > 2 * front_end.clip * rate:
        seconds = front_end.clip / front_end.sample_rate
        findings.add(
            f"Only {seconds:.3g} s in the middle are read, which is less than half of the recording", file.name
        )


def read_wav(file: File) -> tuple[int, NDArray[np.float64]]:
    """Sampling rate in Hz and samples (N,), -1 ... 1, of a WAV file, with its channels as one.

    Raises:
        BuildError: the file cannot be read, is cut off, or holds no sound.
    """
    rate, channels = read_channels(file)
    return rate, mixed(channels)


def mixed(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean (N,) of a sound's channels (N, C), or the loudest of them where they cancel each other."""
    if cancel(channels):
        loudest: NDArray[np.float64] = channels[:, channels.var(axis=0).argmax()]
        return loudest
    mean: NDArray[np.float64] = channels.mean(axis=1)
    return mean


def cancel(channels: NDArray[np.float64]) -> bool:
    """Whether the mean of channels (N, C) loses what is in them, as when one is wired the wrong way round.

    Unrelated channels give a mean of 1 / C^2 of the sum of their powers; this one has less.
    """
    alone = float(channels.var(axis=0).sum()) / channels.shape[1] ** 2
    return channels.shape[1] > 1 and bool(channels.mean(axis=1).var() < _LEFT * alone)


def resampled(sound: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    """Samples (N,) at ``wanted`` instead of ``rate`` Hz: (ceil(N wanted / rate),), without aliasing."""
    if rate == wanted:
        return sound
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(sound, *_ratio(rate, wanted)))


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    """``wanted`` / ``rate`` in lowest terms, or nearly: of rates that have hardly anything in common the filter would
    have millions of weights, and nobody hears a pitch that is off by a ten-thousandth.
    """
    return Fraction(wanted, rate).limit_denominator(_LARGEST_DENOMINATOR).as_integer_ratio()


def centred(sound: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """The middle ``samples`` of a sound (N,), or all of it between equal silences."""
    missing = max(0, samples - len(sound))
    padded = np.pad(sound, (missing // 2, missing - missing // 2))
    start = (len(padded) - samples) // 2
    return padded[start : start + samples]
