from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mcubuild.data.subject import subject_of


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _landscapes(side: int, count: int = 40) -> NDArray[np.uint8]:
    """Shades and texture of all sizes, as light and matter make them: spectra fall with the frequency."""
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    noise = _rng().standard_normal((count, 4, side, side))
    light_and_colour = noise[:, :1] + noise[:, 1:] / 4
    waves = np.fft.rfft2(light_and_colour) / np.maximum(frequencies, 1 / side) ** 1.3
    values = np.fft.irfft2(waves, (side, side))
    low, high = values.min(axis=(1, 2, 3), keepdims=True), values.max(axis=(1, 2, 3), keepdims=True)
    pictures: NDArray[np.uint8] = np.round(255 * (values - low) / (high - low)).astype(np.uint8)
    return pictures.transpose(0, 2, 3, 1)


def _signs(side: int, count: int = 40) -> NDArray[np.uint8]:
    """Coloured discs with a bar, drawn four times as large and reduced."""
    rng, large, found = _rng(), 4 * side, []
    for _ in range(count):
        image = Image.new("RGB", (large, large), "white")
        draw = ImageDraw.Draw(image)
        left, top = rng.uniform(0.05, 0.3, 2) * large
        draw.ellipse((left, top, left + 0.65 * large, top + 0.65 * large), fill=(200, 20, 30))
        draw.rectangle((left + 0.1 * large, top + 0.25 * large, left + 0.55 * large, top + 0.4 * large), fill="white")
        found.append(np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)))
    return np.stack(found)


@pytest.mark.parametrize("side", [16, 32, 96])
def test_photos_are_told_from_drawings_at_any_size(side: int) -> None:
    assert subject_of(_landscapes(side)) == "photos"
    assert subject_of(_signs(side)) == "drawings"


def test_digits_of_8_pixels_are_drawings() -> None:
    from sklearn.datasets import load_digits

    x = np.round(load_digits().images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    assert subject_of(x) == "drawings"


def test_neither_grey_nor_darkness_nor_a_black_ground_makes_a_drawing() -> None:
    photos = _landscapes(32)
    rows, columns = np.mgrid[:32, :32] - 15.5
    inside = np.hypot(rows, columns)[..., np.newaxis] < 13
    for changed in (
        photos.mean(axis=3, keepdims=True),
        photos / 3,
        np.where(inside, photos, 0),
        photos[::-1] * 0.5 + 99,
    ):
        assert subject_of(changed.astype(np.uint8)) == "photos"


def test_noise_of_jpeg_makes_no_photo() -> None:
    found = []
    for sign in _signs(64):
        file = BytesIO()
        Image.fromarray(sign).save(file, "JPEG", quality=75)
        found.append(np.asarray(Image.open(file)))
    assert subject_of(np.stack(found)) == "drawings"


def test_the_half_decides_and_blank_pictures_pass() -> None:
    photos, signs = _landscapes(32), _signs(32)
    assert subject_of(np.concatenate([photos, signs[:10]])) == "photos"
    assert subject_of(np.concatenate([photos[:10], signs])) == "drawings"
    assert subject_of(np.zeros((5, 32, 32, 1), np.uint8)) == "drawings"
    assert subject_of(signs[:1]) == "drawings"
