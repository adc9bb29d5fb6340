"""Resizing: exact where it must be, free of aliasing, fixed bytes."""

import numpy as np
import pytest

from mcubuild.data.resize import resize
from mcubuild.resolution import Resolution, square


def test_own_resolution_changes_nothing() -> None:
    x = np.arange(2 * 8 * 8 * 1, dtype=np.uint8).reshape(2, 8, 8, 1)
    assert resize(x, square(8)) is x


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [*map(square, (3, 8, 13, 32)), Resolution(8, 12), Resolution(1, 40)], ids=str)
def test_constant_images_stay_constant_channel_by_channel(channels: int, resolution: Resolution) -> None:
    colours = np.array([10, 130, 255], np.uint8)[:channels]
    x = np.broadcast_to(colours, (2, 10, 10, channels))
    out = resize(np.ascontiguousarray(x), resolution)
    assert out.shape == (2, resolution.height, resolution.width, channels)
    assert out.dtype == np.uint8
    assert (out == colours).all()


def test_halving_averages_what_lies_under_the_filter() -> None:
    """Pixels 0, 255, 0, 255, ...: a point sample would be all black or all white."""
    x = np.zeros((1, 16, 16, 1), np.uint8)
    x[:, :, 1::2] = 255
    inner = resize(x, square(8))[0, :, 2:6, 0]
    assert (np.abs(inner.astype(int) - 128) <= 1).all()


def test_doubling_interpolates_linearly() -> None:
    x = np.array([0, 100], np.uint8).reshape(1, 1, 2, 1).repeat(2, axis=1)
    assert resize(x, square(4))[0, 0, :, 0].tolist() == [0, 25, 75, 100]


def test_height_and_width_change_apart() -> None:
    x = np.array([0, 100], np.uint8).reshape(1, 1, 2, 1).repeat(2, axis=1)
    wide = resize(x, Resolution(2, 4))
    assert wide.shape == (1, 2, 4, 1) and (wide[0, :, :, 0] == [0, 25, 75, 100]).all()
    assert resize(x.transpose(0, 2, 1, 3), Resolution(4, 2))[0, :, 1, 0].tolist() == [0, 25, 75, 100]
