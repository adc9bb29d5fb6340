"""What autoencoders learn, and how they are judged without and with anomalous recordings."""

import numpy as np
import pytest
import torch

from mcubuild.tasks.anomaly_detection.learning import ReconstructionLearning
from mcubuild.tasks.learning import from_json, to_json

LEARNING = ReconstructionLearning()
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (6, 2, 1, 3)).astype(np.uint8)
Y = np.array([[0, 0], [0, 0], [0, 1], [1, 2], [1, 2], [1, 3]])


def outputs(*errors: float) -> torch.Tensor:
    """Of windows that are so far off everywhere, in shares of the range."""
    exact = torch.from_numpy(X.reshape(6, 6)).double() / 255
    return (exact + torch.tensor(errors)[:, None])[:, :, None, None]


def test_the_loss_is_the_mean_square_in_tenths() -> None:
    targets = torch.from_numpy(LEARNING.wanted(X, Y))
    answers = outputs(0, 0.1, 0.2, -0.1, 0, 0)
    assert LEARNING.losses(answers, targets).tolist() == pytest.approx([0, 1, 4, 1, 0, 0], abs=1e-5)
    assert LEARNING.loss(answers, targets).item() == pytest.approx(1, abs=1e-5)
    assert LEARNING.hits(answers, targets) == (18, 36)
    assert LEARNING.distillation(answers, outputs(*[0.1] * 6)).item() == pytest.approx(8 / 6, abs=1e-5)


def test_with_anomalies_the_score_is_the_area() -> None:
    targets = torch.from_numpy(LEARNING.wanted(X, Y))
    assert LEARNING.score(outputs(0.1, 0.3, 0.1, 0.3, 0.3, 0.05), targets) == 0.5  # 0.22, 0.1 against 0.3, 0.05
    assert LEARNING.score(outputs(0.1, 0.1, 0.1, 0.3, 0.3, 0.2), targets) == 1.0
    low, high = LEARNING.interval(outputs(0.1, 0.1, 0.1, 0.3, 0.3, 0.2), targets)
    assert low < 1.0 == high


def test_without_it_is_what_is_explained() -> None:
    normal = np.array([[0, 0], [0, 0], [0, 1], [0, 2], [0, 2], [0, 3]])
    targets = torch.from_numpy(LEARNING.wanted(X, normal))
    assert LEARNING.score(outputs(*[0] * 6), targets) == pytest.approx(1)
    mean = torch.from_numpy(X.reshape(6, 6)).double().mean(dim=0) / 255
    assert LEARNING.score(mean.expand(6, 6)[:, :, None, None], targets) == pytest.approx(0, abs=1e-6)


def test_samples_stay_as_they_are() -> None:
    x, targets = LEARNING.vary(X, Y, RNG)
    assert (x == X).all() and (targets == LEARNING.wanted(X, Y)).all() and targets[3, :2].tolist() == [1, 2]
    assert from_json(to_json(LEARNING)) == LEARNING
