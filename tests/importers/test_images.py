"""Pixels of a data set in the real values that the network's author fed."""

import numpy as np
import pytest

from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.importers.images import as_inputs
from mcubuild.importers.interface import Interface, Number

PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
TEST = Split(PIXELS, np.array([0]))
SHAPE = (1, 16, 16, 1)


def fed(face: Interface, pixels: tuple[float, float] | None = None) -> list[int]:
    found, _ = as_inputs("net.tflite", [face], [face.shape], TEST, pixels)
    assert found.shape == (1, 256) and found.dtype == np.int8
    return [int(level) for level in found[0]]


def rounded(value: float) -> int:
    return int(np.copysign(np.floor(abs(value) + 0.5), value))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize(
    ("scale", "zero_point", "low", "high"),
    [
        (1 / 255, -128, 0, 1),
        (0.0038, -128, 0, 1),  # calibrated on samples that were not quite white
        (0.00787, -1, -1, 1),
        (2 / 255.5, 1, -1, 1),
        (1 / 254.6, 3, -0.5, 0.5),
        (1.0, -128, 0, 255),
        (1.0, 0, -128, 127),
    ],
)
def test_the_usual_ranges(scale: float, zero_point: int, low: float, high: float, dtype: Number) -> None:
    """Whatever the file takes: uint8 is int8 plus 128, and float32 is quantised at the same scale."""
    face = Interface("x", dtype, SHAPE, scale, zero_point)
    expected = [rounded((low + p * (high - low) / 255) / scale) + zero_point for p in range(256)]
    assert fed(face) == [min(127, max(-128, level)) for level in expected]


def test_as_they_are() -> None:
    """Scales for which a level is a pixel value less 128."""
    for scale in (1 / 255, 0.003921568859368563, 1.0):
        assert fed(Interface("x", "int8", SHAPE, scale, -128)) == list(range(-128, 128))


def test_half_the_levels_where_the_range_is_twice_as_wide() -> None:
    """What ``pixel - 128`` got wrong: a network of [-1, 1] whose zero is in the middle saw 1 ... 2."""
    levels = fed(Interface("x", "uint8", SHAPE, 0.0157, -64), (0, 1))
    assert levels[0] == -64 and levels[255] == 0


def test_of_the_users() -> None:
    face = Interface("x", "int8", SHAPE, 0.0186, -14)  # (x - mean) / deviation
    with pytest.raises(BuildError, match=r"holds -2\.12 to 2\.623.*pixels = \[0, 1\]"):
        fed(face)
    levels = fed(face, (-2.1, 2.6))
    assert levels[0] == rounded(-2.1 / 0.0186) - 14 and levels[255] == rounded(2.6 / 0.0186) - 14
    assert fed(face, (2.6, -2.1)) == levels[::-1], "black on white for white on black"
    for wrong in ((0, 255), (0, 0.1), (-2, 20)):
        with pytest.raises(BuildError, match=r"do not go with what its input holds, -2\.12 to 2\.623"):
            fed(face, wrong)
    with pytest.raises(BuildError, match="do not go with"):
        fed(Interface("x", "int8", SHAPE, 1 / 255, -128), (-1, 1))


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ([(1, 16, 12, 1)], "its input is 16x12; the images of a data set are square"),
        ([(1, 16, 16, 3)], r"its input has 3 channels, the data set's images are grey \(1 channel\)"),
        ([(1, 490)], "a data set has one image each"),
        ([SHAPE, SHAPE], "a data set has one image each"),
    ],
)
def test_inputs_that_are_no_such_image(shapes: list[tuple[int, ...]], told: str) -> None:
    faces = [Interface("x", "int8", shape, 1 / 255, -128) for shape in shapes]
    with pytest.raises(BuildError, match=told):
        as_inputs("net.tflite", faces, shapes, TEST, None)


def test_another_resolution() -> None:
    face = Interface("x", "int8", (1, 4, 4, 1), 1 / 255, -128)
    flat = Split(np.full((2, 16, 16, 1), 200, np.uint8), np.array([0, 0]))
    assert as_inputs("net.tflite", [face], [face.shape], flat, None)[0].tolist() == [[72] * 16] * 2
