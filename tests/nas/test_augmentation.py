import numpy as np
import pytest

from mcubuild.nas.augmentation import MASK, SHIFT, Variation, vary_images, vary_spectrograms


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_images_are_shifted_by_at_most_a_tenth() -> None:
    x = np.zeros((400, 20, 20, 1), np.uint8)
    x[:, 10, 10] = 255
    places = {tuple(place) for place in np.argwhere(vary_images(x, _rng())[..., 0])[:, 1:].tolist()}
    assert places == {(row, column) for row in range(8, 13) for column in range(8, 13)}


def test_images_are_mirrored_on_demand_alone() -> None:
    x = np.zeros((200, 20, 20, 3), np.uint8)
    x[:, 10, 3] = 255
    for mirror, sides in ((False, {0}), (True, {0, 1})):
        vary = Variation("image_classification", mirror)
        assert {int(place[2] >= 10) for place in np.argwhere(vary(x, _rng()))} == sides


def test_spectrograms_move_in_time_alone() -> None:
    """A tone stays at its pitch, and time goes on: neither a flip nor a shift of bands."""
    side = 40
    x = np.zeros((300, side, side, 1), np.uint8)
    x[:, 7] = np.arange(100, 100 + side)[:, np.newaxis]
    out = vary_spectrograms(x, _rng())[..., 0].astype(int)
    assert out[:, [6, 8]].max() < 5, "but for masks, at the mean of about 3"
    shifts = set()
    for tone in out[:, 7]:
        seen = np.flatnonzero((tone > 100) & (tone < 99 + side))
        if len(seen):
            (shift,) = set((tone[seen] - 100 - seen).tolist())
            shifts.add(shift)
    reach = round(SHIFT * side)
    assert shifts == set(range(-reach, reach + 1))


def test_masks_are_stretches_of_bands_and_frames_at_the_mean() -> None:
    side = 40
    rows = np.where(np.arange(side) % 2, 40, 200).astype(np.uint8)
    x = np.broadcast_to(rows[:, np.newaxis, np.newaxis], (200, side, side, 1))
    hidden = vary_spectrograms(x, _rng())[..., 0] == 120
    for one in hidden:
        bands, frames = one.all(axis=1), one.all(axis=0)
        assert (one == (bands[:, np.newaxis] | frames)).all()
        for stretch in (bands, frames):
            assert stretch.sum() <= round(MASK * side)
            assert np.abs(np.diff(stretch.astype(int))).sum() <= 2
    assert 0.05 < hidden.mean() < 0.25


@pytest.mark.parametrize("task", ["image_classification", "audio_classification"])
def test_equal_seeds_vary_alike_and_the_samples_stay_as_they_are(task: str) -> None:
    x = _rng().integers(256, size=(5, 12, 12, 1)).astype(np.uint8)
    kept = x.copy()
    vary = Variation(task, mirror=True)
    one, same, other = vary(x, _rng()), vary(x, _rng()), vary(x, np.random.default_rng(1))
    assert one.shape == x.shape and one.dtype == np.uint8
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(x, kept)
