"""Anchors: k-means by overlap finds the sizes that boxes have."""

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.tasks.detection.anchors import anchors, mean_overlap, overlaps_of_sizes
from mcubuild.tasks.detection.boxes import overlaps


def drawn(
    sizes: list[tuple[float, float]], each: int, spread: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(1)
    wanted = np.repeat(np.array(sizes), each, axis=0) * np.exp(spread * rng.standard_normal((len(sizes) * each, 2)))
    start = rng.random(wanted.shape) * (1 - wanted)
    return np.hstack([start, start + wanted]).astype(np.float32)


def test_sizes_that_there_are() -> None:
    sizes = [(0.05, 0.1), (0.2, 0.2), (0.3, 0.6), (0.8, 0.4)]
    found = anchors(drawn(sizes, 50, 0.05), 4, seed=3)
    expected = sorted(sizes, key=lambda size: size[0] * size[1])
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_same_seed_same_anchors() -> None:
    corners = drawn([(0.1, 0.1), (0.3, 0.2), (0.5, 0.6)], 40, 0.6)
    one, same = (anchors(corners, 5, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert (np.diff(one.prod(axis=1)) > 0).all()


def test_better_than_any_draw_and_than_squared_distance() -> None:
    """On sizes of a wide range, where squared distances serve the large ones alone."""
    from scipy.cluster.vq import kmeans2

    corners = drawn([(0.02, 0.02), (0.05, 0.03), (0.1, 0.2), (0.5, 0.5), (0.9, 0.7)], 60, 0.3)
    sizes = (corners[:, 2:] - corners[:, :2]).astype(np.float64)
    ours = mean_overlap(sizes, anchors(corners, 5, seed=0))
    rng = np.random.default_rng(0)
    assert ours > max(mean_overlap(sizes, rng.permutation(sizes)[:5]) for _ in range(200))
    assert ours > mean_overlap(sizes, kmeans2(sizes, 5, seed=0, minit="++")[0])


def test_overlap_of_sizes_is_that_of_boxes_on_one_centre() -> None:
    sizes = np.random.default_rng(2).random((6, 2)) + 0.01
    corners = np.hstack([-sizes / 2, sizes / 2])
    np.testing.assert_allclose(overlaps_of_sizes(sizes, sizes), overlaps(corners, corners))
    np.testing.assert_allclose(overlaps_of_sizes(sizes * [3, 0.2], sizes * [3, 0.2]), overlaps(corners, corners))


def test_too_few_sizes() -> None:
    corners = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]], np.float32)
    assert len(anchors(corners, 2, seed=0)) == 2
    with pytest.raises(BuildError, match="found 3 for 2 sizes"):
        anchors(corners, 3, seed=0)
