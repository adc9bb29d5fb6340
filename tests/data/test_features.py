"""Features against formulas written down once more, loop by loop, and against SciPy."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from mcubuild.data.features import LOWEST, RANGE, design, features, mel_filters, picture
from tests.data.wavs import tone

FRONT_END = design(8000, 0.66, 0.030, 48)


def _noise(samples: int = FRONT_END.clip) -> np.ndarray:
    return np.random.default_rng(0).normal(size=samples) * np.linspace(0, 0.3, samples)


def test_the_design_of_a_second_is_the_usual_one() -> None:
    front_end = design(16000, 1.0, 0.030, 48)
    assert (front_end.window, front_end.fft) == (480, 512)
    assert front_end.hop / 16000 == pytest.approx(0.0206, abs=1e-4)
    assert front_end.clip == 480 + 47 * front_end.hop <= 16000


@pytest.mark.parametrize(("rate", "duration", "side"), [(8000, 0.2, 48), (16000, 10, 48), (44100, 3, 96), (8000, 1, 8)])
def test_frames_overlap_cover_the_clip_and_bands_are_never_empty(rate: int, duration: float, side: int) -> None:
    front_end = design(rate, duration, 0.030, side)
    assert front_end.window >= 1.39 * front_end.hop
    assert rate * duration - side < front_end.clip <= rate * duration
    filters = mel_filters(side, front_end.fft, rate, LOWEST, rate / 2)
    assert filters.shape == (side, front_end.fft // 2 + 1)
    assert (filters.max(axis=1) > 0).all()


def test_too_short_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"264 samples are too few for 48 frames of 240"):
        design(8000, 0.033, 0.030, 48)


def test_filters_are_triangles_in_mel() -> None:
    def hertz(mel: float) -> float:
        return 700 * (10 ** (mel / 2595) - 1)

    def mel(frequency: float) -> float:
        return 2595 * math.log10(1 + frequency / 700)

    step = (mel(4000) - mel(20)) / 49
    found = mel_filters(48, 256, 8000, 20, 4000)
    for band in range(48):
        left, centre, right = (hertz(mel(20) + step * (band + corner)) for corner in range(3))
        for line in range(129):
            frequency = line * 8000 / 256
            if left < frequency <= centre:
                expected = (frequency - left) / (centre - left)
            else:
                expected = (right - frequency) / (right - centre) if centre < frequency < right else 0
            assert found[band, line] == pytest.approx(expected, abs=1e-9)


def test_log_mel_against_scipys_spectrum() -> None:
    clip = _noise()
    window = hann(FRONT_END.window, sym=False)
    transform = ShortTimeFFT(window, FRONT_END.hop, 8000, mfft=FRONT_END.fft, fft_mode="onesided")
    # SciPy centres its windows on multiples of the hop: half a window of silence brings the first one to the start.
    before = FRONT_END.hop * math.ceil(FRONT_END.window / 2 / FRONT_END.hop)
    padded = np.pad(clip, (before - FRONT_END.window // 2, FRONT_END.window))
    first = before // FRONT_END.hop
    power = np.abs(transform.stft(padded, p0=first, p1=first + FRONT_END.side)) ** 2
    level = 10 * np.log10(mel_filters(48, FRONT_END.fft, 8000, 20, 4000) @ power)
    np.testing.assert_allclose(features(clip, FRONT_END), np.maximum(level - level.max(), -80), atol=1e-9)


def test_a_full_scale_sine_is_the_loudest_and_gain_does_not_matter() -> None:
    clip = np.resize(tone(1000, 1.0, level=0.9), FRONT_END.clip)
    found = features(clip, FRONT_END)
    assert found.max() == 0
    centre = np.abs(mel_filters(48, FRONT_END.fft, 8000, 20, 4000)[:, round(1000 * FRONT_END.fft / 8000)]).argmax()
    assert (found.mean(axis=1).argmax()) == centre
    np.testing.assert_allclose(features(clip / 30, FRONT_END), found, atol=1e-6)


def test_silence_is_black() -> None:
    assert (features(np.zeros(FRONT_END.clip), FRONT_END) == -RANGE).all()
    quiet = np.zeros(FRONT_END.clip)
    quiet[: FRONT_END.clip // 2] = 1e-3 * _noise()[: FRONT_END.clip // 2]
    assert (picture(features(quiet, FRONT_END), FRONT_END)[:, -10:] == 0).all(), "padding is black beside faint sounds"


def test_mfcc_is_the_cosine_transform_of_log_mel() -> None:
    clip = _noise()
    found = features(clip, replace(FRONT_END, features="mfcc"))
    np.testing.assert_allclose(found, dct(features(clip, FRONT_END), type=2, norm="ortho", axis=0))
    band, side = np.arange(48), 48
    level = features(clip, FRONT_END)
    third = math.sqrt(2 / side) * (level * np.cos(np.pi * 3 * (2 * band + 1) / (2 * side))[:, np.newaxis]).sum(axis=0)
    np.testing.assert_allclose(found[3], third, atol=1e-9)


def test_pictures_stand_upright_and_are_rounded_and_clipped() -> None:
    values = np.full((48, 48), -80.0)
    values[0] = 0  # the lowest band
    values[47] = [-90, 7, -40, -79.8] * 12
    found = picture(values, FRONT_END)
    assert found.shape == (48, 48, 1) and found.dtype == np.uint8
    assert (found[-1] == 255).all() and (found[1:-1] == 0).all()
    assert found[0, :4, 0].tolist() == [0, 255, 128, 1]


def test_coefficients_have_ranges_of_their_own() -> None:
    front_end = replace(FRONT_END, low=tuple(range(48)), high=tuple(range(2, 50)))
    found = picture(np.arange(48.0)[:, np.newaxis] + np.ones((48, 48)), front_end)
    assert (found == 128).all()
