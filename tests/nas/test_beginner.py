"""A plain network and a random forest: what they are, and that they learn."""

import numpy as np
import pytest
import torch
from torch import nn

from mcubuild.data.splits import Split
from mcubuild.nas.training import beginner
from mcubuild.nas.training.beginner import plain_network, random_forest


def bars(count: int, side: int = 8, channels: int = 1, seed: int = 0) -> Split:
    """Bars that stand (0) or lie (1), anywhere, on noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 120, (count, side, side, channels)).astype(np.uint8)
    y = np.arange(count) % 2
    for number, label in enumerate(y):
        place = rng.integers(side)
        x[number, :, place] = 255 if label == 0 else x[number, :, place]
        x[number, place] = 255 if label == 1 else x[number, place]
    return Split(x, y.astype(np.int64))


def test_the_network_is_the_one_that_is_described() -> None:
    network = beginner._network(32, 3, 10)
    kinds = [type(layer) for layer in network if not isinstance(layer, beginner._Mean)]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d] * 3 + [nn.Dropout, nn.Linear]
    assert sum(weights.numel() for weights in network.parameters()) == 9 * (3 * 24 + 24 * 48 + 48 * 64) + 2 * 136 + 650
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("side", [2, 5, 8, 28])
def test_small_pictures_have_a_network_too(side: int) -> None:
    assert beginner._network(side, 1, 4)(torch.zeros(2, 1, side, side)).shape == (2, 4)
    assert beginner._network(side, 3, 4, series=True)(torch.zeros(2, 3, side, 1)).shape == (2, 4)


def test_both_learn_and_the_same_seed_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginner, "EPOCHS", 5)
    samples, test = bars(96), bars(200, seed=1)

    def accuracy(seed: int, mirror: bool = False) -> float:
        return plain_network(samples, test, 2, task="image_classification", mirror=mirror, seed=seed)

    state = torch.random.get_rng_state()
    assert accuracy(0) == accuracy(0) > 0.9
    assert torch.equal(torch.random.get_rng_state(), state)
    assert random_forest(samples, test, seed=0) == random_forest(samples, test, seed=0) > 0.6


def test_fewer_samples_than_a_batch_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginner, "EPOCHS", 2)
    assert 0 <= plain_network(bars(6), bars(10), 2, task="image_classification", mirror=True, seed=0) <= 1


def test_pictures_move_both_ways_and_sounds_in_time_alone() -> None:
    images = torch.zeros(400, 1, 16, 16)
    images[:, :, 6, 9] = 1
    for down, rows in ((2, {4, 5, 6, 7, 8}), (0, {6})):
        moved = beginner._varied(images, np.random.default_rng(0), down=down, right=2, mirror=False)
        assert moved.shape == images.shape and moved.sum() == 400
        places = moved.nonzero()
        assert {*places[:, 2].tolist()} == rows and {*places[:, 3].tolist()} == {7, 8, 9, 10, 11}
    mirrored = beginner._varied(images, np.random.default_rng(0), down=0, right=0, mirror=True).nonzero()[:, 3]
    assert {*mirrored.tolist()} == {6, 9} and 150 < int((mirrored == 6).sum()) < 250


def test_large_pictures_are_reduced() -> None:
    assert beginner._reduced(bars(4, side=100, channels=3)).x.shape == (4, 64, 64, 3)
    assert beginner._reduced(bars(4, side=64)).x.shape == (4, 64, 64, 1)
