"""The area under the curve, beside scikit-learn's, and its interval."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from mcubuild.tasks.anomaly_detection.roc import area, curve, explained, interval, of_recordings


def test_area_and_curve_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        labels = np.concatenate([[0, 1], rng.integers(0, 2, 3 + number)])
        levels = rng.integers(0, 2 + number, len(labels)) + labels * rng.integers(0, 5)  # with ties
        scores = np.asarray(levels, np.float64)
        assert area(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
        false, found = curve(scores, labels)
        expected = roc_curve(labels, scores, drop_intermediate=False)
        np.testing.assert_allclose(false, expected[0])
        np.testing.assert_allclose(found, expected[1])


def test_without_pairs_there_is_no_area() -> None:
    assert area(np.array([1.0, 2.0]), np.array([0, 0])) is None


def test_recordings_have_the_mean_of_their_windows() -> None:
    errors, labels = of_recordings(np.array([1.0, 3, 10, 20, 30]), np.array([[0, 4], [0, 4], [1, 7], [1, 7], [1, 7]]))
    assert (errors.tolist(), labels.tolist()) == ([2, 20], [0, 1])


def test_the_interval_holds_the_area_as_often_as_it_says() -> None:
    """Exponential scores, for which Hanley and McNeil's variance is exact: 95 % of draws, and never a point."""
    rng, rate = np.random.default_rng(1), 6.0
    true, held = rate / (1 + rate), 0
    for _ in range(400):
        scores = np.concatenate([rng.exponential(1, 30), rng.exponential(rate, 20)])
        found = area(scores, np.repeat([0, 1], [30, 20]))
        assert found is not None
        low, high = interval(found, 30, 20)
        held += low <= true <= high
    assert 0.92 < held / 400 < 0.98
    low, high = interval(1.0, 30, 20)
    assert high == 1.0 and 0.8 < low < 0.95
    assert interval(1.0, 300, 200)[0] > low and interval(0.5, 30, 20) == pytest.approx((0.34, 0.66), abs=0.01)


def test_explained() -> None:
    assert (explained(1, 4), explained(8, 4), explained(0, 0)) == (0.75, 0, 0)
