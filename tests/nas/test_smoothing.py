"""The luckiest of many evaluations is not the best network."""

import numpy as np

from mcubuild.nas.search.smoothing import expected
from mcubuild.nas.space.arch import draw
from mcubuild.nas.space.family import Family
from tests.nas.toy import SPACE


def test_what_choices_have_in_common_counts_more_than_luck() -> None:
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(draw(SPACE, rng) for _ in range(300)))
    macs = [10_000 + sum(kernel * expansion for stage in arch.stages for kernel, expansion in stage) for arch in archs]
    true = 0.6 + 0.2 * (np.log(macs) - np.log(macs).min()) / np.ptp(np.log(macs))
    trusted, believed = [], []
    for seed in range(10):
        seen = true + np.random.default_rng(seed).normal(0, 0.04, len(true))
        trusted.append(true[np.argmax(seen)])
        found = expected(Family(SPACE), archs, macs, seen.tolist(), samples=130)
        believed.append(true[np.argmax(found)])
        assert np.abs(found - true).mean() < np.abs(seen - true).mean() / 2
    assert np.mean(believed) > np.mean(trusted) + 0.01


def test_with_many_samples_each_evaluation_speaks_for_itself() -> None:
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(draw(SPACE, rng) for _ in range(100)))
    seen = rng.uniform(0.5, 0.7, len(archs))
    assert np.abs(expected(Family(SPACE), archs, [1000] * len(archs), seen.tolist(), 10**6) - seen).max() < 1e-3


def test_nothing_is_expected_of_what_does_not_differ() -> None:
    archs = list(dict.fromkeys(draw(SPACE, np.random.default_rng(seed)) for seed in range(5)))
    assert expected(Family(SPACE), archs, [1000] * len(archs), [0.5] * len(archs), 9).tolist() == [0.5] * len(archs)
    assert expected(Family(SPACE), archs[:1], [1000], [0.7], 9).tolist() == [0.7]
