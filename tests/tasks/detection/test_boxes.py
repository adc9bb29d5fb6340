"""Boxes: overlap, and what becomes of them when their picture is turned or mirrored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mcubuild.data.boxes import Boxes, BoxLists, turned
from mcubuild.data.images import TURNS
from mcubuild.tasks.detection.boxes import areas, mirrored, overlaps

CELLS = 40
"""Pictures of so many pixels a side, on which boxes of whole pixels are painted."""


def boxes(*corners: tuple[float, ...]) -> Boxes:
    return Boxes(
        np.array(corners, np.float32).reshape(-1, 4), np.arange(len(corners)), np.zeros(len(corners), np.bool_)
    )


pixel_boxes = st.tuples(*[st.integers(0, CELLS - 1)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1)
)


def painted(corners: tuple[int, ...]) -> NDArray[np.uint8]:
    picture = np.zeros((CELLS, CELLS), np.uint8)
    top, left, bottom, right = corners
    picture[top:bottom, left:right] = 1
    return picture


def extent(picture: NDArray[np.uint8]) -> list[int]:
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    return [int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1]


@given(pixel_boxes, pixel_boxes)
def test_overlap_is_that_of_pixels(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    common = (painted(one) & painted(other)).sum() / (painted(one) | painted(other)).sum()
    got = overlaps(np.array([one], np.float32), np.array([other], np.float32))
    assert got[0, 0] == pytest.approx(common)


def test_overlaps_of_nothing() -> None:
    point = np.array([[3, 3, 3, 3]], np.float32)
    assert overlaps(point, point).tolist() == [[0]]
    assert overlaps(np.zeros((0, 4), np.float32), point).shape == (0, 1)
    assert areas(np.array([[2, 2, 1, 3], [0, 0, 2, 3]], np.float32)).tolist() == [0, 6]


@given(pixel_boxes, st.sampled_from([1, *TURNS]))
def test_turned_with_the_picture(corners: tuple[int, ...], orientation: int) -> None:
    """As Pillow turns the pixels."""
    image = Image.fromarray(painted(corners))
    upright = image if orientation == 1 else image.transpose(TURNS[orientation])
    got = turned(boxes(tuple(value / CELLS for value in corners)), orientation).corners[0] * CELLS
    np.testing.assert_allclose(got, extent(np.asarray(upright)), atol=1e-4)


@given(pixel_boxes)
def test_mirrored_with_the_picture(corners: tuple[int, ...]) -> None:
    got = mirrored(boxes(tuple(value / CELLS for value in corners))).corners[0] * CELLS
    np.testing.assert_allclose(got, extent(painted(corners)[:, ::-1]), atol=1e-4)


def test_lists_of_boxes() -> None:
    pictures = [boxes((0, 0, 1, 1)), Boxes.none(), boxes((0, 0, 0.5, 1), (0, 0, 1, 0.5))]
    lists = BoxLists.of(pictures)
    assert len(lists) == 3
    assert lists.offsets.tolist() == [0, 1, 1, 3]
    for got, expected in zip(lists, pictures, strict=True):
        np.testing.assert_array_equal(got.corners, expected.corners)
    part = lists.part(np.array([2, 1]))
    assert [len(one) for one in part] == [2, 0]
    assert part[0].classes.tolist() == [0, 1]
    assert len(BoxLists.of([])) == 0
