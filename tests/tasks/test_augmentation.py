from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.data.front_end import FrontEnd
from mcubuild.data.splits import Index, Pixels
from mcubuild.tasks.classification.amplitudes import AMPLITUDES, WORDS, Amplitudes, told
from mcubuild.tasks.classification.learning import ClassLearning

Vary = Callable[..., Pixels]

SOUND = FrontEnd("log_mel", 8000, 8000, 240, 120, 256, 40, 20.0, 4000.0, (-80.0,), (0.0,))


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _vary(learning: ClassLearning) -> Vary:
    """Of the samples alone: labels stay as they are."""

    def vary(x: Pixels, rng: np.random.Generator, noise: Pixels | None = None) -> Pixels:
        y = np.arange(len(x))
        varied, labels = learning.vary(x, y, rng, noise)
        assert labels is y
        return varied

    return vary


def _only(monkeypatch: pytest.MonkeyPatch, kind: str, **amplitudes: float) -> Vary:
    """A variation that does nothing else."""
    monkeypatch.setattr("mcubuild.tasks.classification.augmentation.AMPLITUDES", {kind: Amplitudes(**amplitudes)})
    return _vary(ClassLearning(kind))


def _index(channels: int = 3, **values: object) -> Index:
    return Index("toy", "task", ("a", "b"), 8, 8, channels, **values)  # type: ignore[arg-type]


def _dot(samples: int, side: int, row: int, column: int, channels: int = 1) -> NDArray[np.uint8]:
    x = np.zeros((samples, side, side, channels), np.uint8)
    x[:, row, column] = 255
    return x


def test_shifts_are_of_whole_pixels_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _only(monkeypatch, "photos", shift=0.1)(_dot(400, 20, 10, 10), _rng())[..., 0]
    assert set(np.unique(out)) == {0, 255}
    places = {tuple(place) for place in np.argwhere(out)[:, 1:].tolist()}
    assert places == {(row, column) for row in range(8, 13) for column in range(8, 13)}


def test_pictures_are_varied_less_where_there_are_many() -> None:
    photos, sounds = ClassLearning("photos", mirror=True), ClassLearning("log_mel")
    assert photos.suited(500) == photos.suited(10_000) == photos
    assert photos.suited(40_000) == ClassLearning("photos", mirror=True, strength=0.5)
    assert sounds.suited(40_000) == sounds, "their noise is what a device will hear"


def test_images_are_mirrored_on_demand_alone() -> None:
    x = np.random.default_rng(3).integers(256, size=(200, 9, 9, 3)).astype(np.uint8)
    assert np.array_equal(_vary(ClassLearning("photos", mirror=False, strength=0))(x, _rng()), x)
    out = _vary(ClassLearning("photos", mirror=True, strength=0))(x, _rng())
    kept, mirrored = (out == x).all(axis=(1, 2, 3)), (out == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all() and 70 < mirrored.sum() < 130


@pytest.mark.parametrize("side", [8, 9, 28])
@pytest.mark.parametrize("kind", AMPLITUDES)
def test_strength_0_leaves_samples_as_they_are(kind: str, side: int) -> None:
    x = np.random.default_rng(3).integers(256, size=(20, side, side, 1)).astype(np.uint8)
    assert np.array_equal(_vary(ClassLearning(kind, strength=0))(x, _rng()), x)


@pytest.mark.parametrize("kind", ["photos", "drawings"])
def test_more_strength_changes_more(kind: str) -> None:
    x = np.full((100, 16, 16, 3), 30, np.uint8)
    x[:, 4:12, 6:8] = 200
    changes = [np.abs(_vary(ClassLearning(kind, strength=s))(x, _rng()).astype(int) - x).mean() for s in (0, 0.5, 1, 2)]
    assert 0 == changes[0] < changes[1] < changes[2] < changes[3]


@pytest.mark.parametrize(
    ("amplitude", "value", "width", "height"),
    [("scale", 0.5, (13, 30), (13, 30)), ("stretch", 0.44, (16, 25), (16, 25))],
)
def test_sizes(
    monkeypatch: pytest.MonkeyPatch, amplitude: str, value: float, width: tuple[int, int], height: tuple[int, int]
) -> None:
    """A square of 20 pixels becomes at most so large and so small; scaled, it stays a square."""
    x = np.zeros((300, 40, 40, 1), np.uint8)
    x[:, 10:30, 10:30] = 255
    out = _only(monkeypatch, "photos", **{amplitude: value})(x, _rng())[..., 0] > 127
    widths, heights = out.any(axis=1).sum(axis=1), out.any(axis=2).sum(axis=1)
    for sizes, (low, high) in ((widths, width), (heights, height)):
        assert low <= sizes.min() <= low + 1 and high - 1 <= sizes.max() <= high
    if amplitude == "scale":
        assert np.abs(widths - heights).max() <= 1
    else:
        assert np.abs(widths * heights / 400 - 1).max() < 0.15


def _lean(picture: NDArray[np.bool_]) -> tuple[float, float]:
    """Degrees by which a bar's long axis and its short sides lean: along the columns, and along the rows."""
    rows, columns = np.nonzero(picture)
    slope = np.polyfit(rows, columns, 1)[0]
    return float(np.degrees(np.arctan(slope))), float(picture.any(axis=0).sum())


def test_rotation_and_shear(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((300, 60, 60, 1), np.uint8)
    x[:, 10:50, 28:32] = 255
    for amplitudes, steepest in (({"rotation": 20.0}, 20.0), ({"shear": 0.25}, np.degrees(np.arctan(0.25)))):
        out = _only(monkeypatch, "drawings", **amplitudes)(x, _rng())[..., 0] > 127
        leans = np.array([_lean(one)[0] for one in out])
        assert -steepest - 1 < leans.min() < 2 - steepest and steepest - 2 < leans.max() < steepest + 1
        heights = out.any(axis=2).sum(axis=1)
        assert (heights.min() < 39) == ("rotation" in amplitudes), "a shear keeps the rows"


def test_half_of_the_pictures_stay_sharp(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.where(np.indices((20, 20)).sum(axis=0) % 2, 255, 0).astype(np.uint8)[np.newaxis, :, :, np.newaxis]
    out = _only(monkeypatch, "photos", scale=0.2, rotation=10, shift=0.1)(np.repeat(x, 400, axis=0), _rng())
    sharp = ((out == 0) | (out == 255)).all(axis=(1, 2, 3))
    assert 160 < sharp.sum() < 240


def test_light_and_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(3).integers(80, 176, size=(300, 8, 8, 3)).astype(np.uint8)
    mean = x.mean(axis=(1, 2, 3))
    brighter = _only(monkeypatch, "photos", brightness=0.2)(x, _rng()).astype(float)
    added = brighter - x
    assert np.ptp(added, axis=(1, 2, 3)).max() <= 1 and -51 <= added.min() < -45 and 45 < added.max() <= 51
    stronger = _only(monkeypatch, "photos", contrast=0.3)(x, _rng()).astype(float)
    factor = stronger.std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    assert np.allclose(stronger.mean(axis=(1, 2, 3)), mean, atol=0.5)
    assert 0.75 < factor.min() < 0.8 and 1.25 < factor.max() < 1.32
    coloured = _only(monkeypatch, "photos", saturation=0.3)(x, _rng()).astype(float)
    assert np.allclose(coloured.mean(axis=3), x.mean(axis=3), atol=1)
    spread = coloured.std(axis=3).mean(axis=(1, 2)) / x.std(axis=3).mean(axis=(1, 2))
    assert 0.75 < spread.min() < 0.8 and 1.25 < spread.max() < 1.32
    grey = x[..., :1]
    assert np.array_equal(_only(monkeypatch, "photos", saturation=0.3)(grey, _rng()), grey)


def test_a_square_is_wiped_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.broadcast_to(np.where(np.arange(20) % 2, 40, 200).astype(np.uint8)[:, None, None], (300, 20, 20, 1))
    hidden = _only(monkeypatch, "photos", erasing=0.3)(x, _rng())[..., 0] == 120
    sides = set()
    for one in hidden:
        rows, columns = one.any(axis=1), one.any(axis=0)
        assert (one == (rows[:, np.newaxis] & columns)).all() and rows.sum() == columns.sum()
        sides.add(int(rows.sum()))
    assert sides == set(range(7))


def test_spectrograms_move_in_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tone stays at its pitch, and time goes on: neither a flip nor a shift of bands."""
    side = 40
    x = np.zeros((300, side, side, 1), np.uint8)
    x[:, 7] = np.arange(100, 100 + side)[:, np.newaxis]
    out = _only(monkeypatch, "log_mel", shift=0.1)(x, _rng())[..., 0].astype(int)
    assert out[:, [6, 8]].max() == 0
    shifts = set()
    for tone in out[:, 7]:
        seen = np.flatnonzero((tone > 100) & (tone < 99 + side))
        (shift,) = set((tone[seen] - 100 - seen).tolist())
        shifts.add(shift)
    assert shifts == set(range(-4, 5))


def test_masks_are_stretches_of_bands_and_frames_at_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    side = 40
    rows = np.where(np.arange(side) % 2, 40, 200).astype(np.uint8)
    x = np.broadcast_to(rows[:, np.newaxis, np.newaxis], (200, side, side, 1))
    hidden = _only(monkeypatch, "log_mel", masks=0.15)(x, _rng())[..., 0] == 120
    for one in hidden:
        bands, frames = one.all(axis=1), one.all(axis=0)
        assert (one == (bands[:, np.newaxis] | frames)).all()
        for stretch in (bands, frames):
            assert stretch.sum() <= 6
            assert np.abs(np.diff(stretch.astype(int))).sum() <= 2
    assert 0.05 < hidden.mean() < 0.25


def test_low_notes_stay_and_high_ones_move_with_the_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    side = 40
    x = np.zeros((200, side, side, 1), np.uint8)
    x[:, [side - 1, 4]] = 255
    out = _only(monkeypatch, "log_mel", pitch=0.1)(x, _rng())[..., 0]
    assert (out[:, side - 1] > 200).all(), "the lowest band"
    assert (out == out[:, :, :1]).all(), "all along"
    high = out[:, :20, 0].argmax(axis=1)
    assert high.min() in (0, 1) and high.max() in (7, 8), "36 bands up, a tenth more and less"


def test_noise_fills_silence_and_leaves_what_is_louder(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((300, 16, 16, 1), np.uint8)
    x[:, 8] = 255
    out = _only(monkeypatch, "log_mel", noise=0.4)(x, _rng())[..., 0]
    assert (out[:, 8] >= 253).all()
    silence = np.delete(out, 8, axis=1).mean(axis=(1, 2))
    assert silence.min() < 3 and 90 < silence.max() < 135
    assert 0.3 < (silence < 10).mean() < 0.7, "often there is none to be heard"


def test_recorded_noise_is_in_half_of_the_sounds_at_any_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((300, 16, 16, 1), np.uint8)
    hum = np.full((2, 16, 16, 1), 20, np.uint8)
    hum[:, 4:6] = 120  # 100 levels above the rest, so that it is heard wherever the rest is
    vary = _only(monkeypatch, "log_mel", noise=0.4)
    out = vary(x, _rng(), hum)[..., 0].astype(int)
    bands = out.mean(axis=2)
    hums = bands[:, 4:6].mean(axis=1) - np.delete(bands, [4, 5], axis=1).mean(axis=1) > 40
    assert 0.25 < hums.mean() < 0.55, "in some of the half it is too quiet"
    assert np.ptp(out[hums][:, 4].max(axis=1)) > 60
    assert np.array_equal(vary(x, _rng(), hum), vary(x, _rng(), hum))


@pytest.mark.parametrize("kind", AMPLITUDES)
def test_equal_seeds_vary_alike_and_the_samples_stay_as_they_are(kind: str) -> None:
    x = _rng().integers(256, size=(5, 12, 12, 1)).astype(np.uint8)
    kept = x.copy()
    vary = _vary(ClassLearning(kind, mirror=True))
    one, same, other = vary(x, _rng()), vary(x, _rng()), vary(x, np.random.default_rng(1))
    assert one.shape == x.shape and one.dtype == np.uint8
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(x, kept)


def test_the_index_says_what_is_done() -> None:
    assert ClassLearning.of(_index(subject="photos", mirror=True)) == ClassLearning("photos", mirror=True)
    assert ClassLearning.of(_index(1, subject="drawings")) == ClassLearning("drawings")
    assert ClassLearning.of(_index(1, front_end=SOUND, subject=None)) == ClassLearning("log_mel")


def test_what_is_done_is_told_in_words() -> None:
    photos = told(_index(subject="photos", mirror=True))
    assert photos.startswith("photos: mirrored, shifted, scaled") and "colour" in photos
    assert "colour" not in told(_index(1, subject="photos"))
    assert "mirrored" not in told(_index(subject="drawings"))
    assert told(_index(1, front_end=SOUND, subject=None)).startswith("spectrograms: shifted")
    assert set(WORDS) == {field.name for field in fields(Amplitudes)}
