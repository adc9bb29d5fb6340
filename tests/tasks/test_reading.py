import numpy as np
import pytest

from mcubuild.tasks.classification.reading import Classification

OUTPUTS = np.array([[1, -3, 40, 40], [100, -128, -127, -128]], np.int8)


def test_the_largest_of_the_outputs_own_units() -> None:
    reads = Classification(units=3, scale=0.5, zero_point=-128, first=1)
    assert reads.classes == 3 and reads.answers(OUTPUTS).tolist() == [1, 1]
    assert reads.scores(OUTPUTS).tolist() == [[62.5, 84, 84], [0, 0.5, 0]]
    assert reads.ties(OUTPUTS).tolist() == [[False, True, True], [False, True, False]]
    assert reads.confidences(OUTPUTS)[1] == pytest.approx(np.exp([0, 0.5, 0]) / np.exp([0, 0.5, 0]).sum())


def test_probabilities_stay_what_they_are() -> None:
    reads = Classification(units=2, scale=1 / 256, zero_point=-128, probabilities=True)
    assert reads.confidences(np.array([[-64, 64]], np.int8)).tolist() == [[0.25, 0.75]]
    unit = Classification(units=1, scale=1 / 256, zero_point=-128, threshold=0.5, probabilities=True)
    assert unit.confidences(np.array([[64]], np.int8)).tolist() == [[0.25, 0.75]]


def test_a_logit() -> None:
    reads = Classification(units=1, scale=0.1, zero_point=10, threshold=0.0)
    levels = np.array([[10], [11], [30]], np.int8)
    assert reads.answers(levels).tolist() == [0, 1, 1]
    assert reads.confidences(levels)[:, 1] == pytest.approx(1 / (1 + np.exp([0, -0.1, -2])))
