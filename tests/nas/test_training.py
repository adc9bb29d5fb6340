from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.nas.training.batches import calibration_batches, spread, to_tensor, training_batches
from mcubuild.nas.training.fit import fit_alone
from mcubuild.nas.training.length import Length, steps_per_epoch
from mcubuild.nas.training.network import ConvNorm
from mcubuild.nas.training.recipe import calibrate, evaluate, workers
from mcubuild.progress import bar
from mcubuild.spec.finetune import FinetuneSettings
from tests.nas.toy import LEARNING, split


def _split(samples: int, side: int = 10) -> Split:
    x = np.random.default_rng(0).integers(256, size=(samples, side, side, 1)).astype(np.uint8)
    return Split(x, np.arange(samples) % 3)


def test_an_epoch_sees_samples_once_in_an_order_of_its_own() -> None:
    split = Split(np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(10, 1).repeat(10, 2), np.arange(20))
    epochs = [
        [y.tolist() for _, y in training_batches(split, 6, 3, LEARNING, np.random.default_rng([0, epoch]))]
        for epoch in (0, 1)
    ]
    for epoch in epochs:
        seen = [label for batch in epoch for label in batch]
        assert [len(batch) for batch in epoch] == [6, 6, 6]
        assert len(set(seen)) == 18
    assert epochs[0] != epochs[1]
    for images, labels in training_batches(split, 6, 3, LEARNING, np.random.default_rng(0)):
        assert torch.equal(torch.round(images[:, 0, 5, 5] * 255).long(), labels)
    assert steps_per_epoch(5, 6) == 1


@pytest.mark.parametrize("order", [lambda y: y, np.sort], ids=["repeating", "sorted"])
def test_samples_are_spread_evenly(order: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> None:
    numbers = np.arange(30, dtype=np.uint8)[:, None, None, None]
    split = Split(numbers, order(np.arange(30) % 3))
    chosen = spread(split, 6)
    assert np.bincount(chosen.y).tolist() == [2, 2, 2]
    for label in range(3):
        of_class = split.x[split.y == label]
        assert chosen.x[chosen.y == label].ravel().tolist() == of_class[[0, 5]].ravel().tolist()
    assert len(spread(split, 40)) == 30


@pytest.mark.parametrize("samples", [3, 256, 257, 600])
def test_calibration_sets_the_statistics_of_full_batches(samples: int) -> None:
    split = _split(samples)
    layer = ConvNorm(1, 2, relu6=False)
    nn.init.ones_(layer.conv.weight)
    calibrate(layer, split)
    batches = list(calibration_batches(split))
    assert [len(batch) for batch in batches] == [min(samples, 256)] * max(1, samples // 256)
    full = np.concatenate(batches)
    assert layer.norm.running_mean is not None
    np.testing.assert_allclose(layer.norm.running_mean.numpy(), full.mean(), rtol=1e-4)
    assert not layer.training
    assert layer.norm.momentum == 0.1


def test_calibration_mixes_classes_that_come_one_after_another() -> None:
    """Folders are read class by class; batch norm must not see one class at a time."""
    y = np.repeat(np.arange(4), 512)
    samples = Split(np.broadcast_to(y.astype(np.uint8)[:, None, None, None], (2048, 2, 2, 1)), y)
    batches = list(calibration_batches(samples))
    assert len(batches) == 8
    for batch in batches:
        found = np.unique((batch[:, 0, 0, 0] * 255).round(), return_counts=True)
        assert found[0].tolist() == [0, 1, 2, 3] and found[1].min() > 32
    every = np.sort(np.concatenate([(batch[:, 0, 0, 0] * 255).round() for batch in batches]))
    assert (every == y).all()


def test_a_single_sample_left_over_is_no_problem_where_maps_have_one_pixel() -> None:
    layer = ConvNorm(1, 2)
    nn.init.ones_(layer.conv.weight)
    calibrate(layer, _split(257, side=1))


def test_evaluation_counts_every_sample() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[2.0, 1.0, 0.0]]).repeat(len(x), 1)

    accuracy, loss = evaluate(Fixed(), _split(300), LEARNING)
    assert accuracy == pytest.approx(1 / 3)
    assert loss == pytest.approx(np.log(np.exp([2, 1, 0]).sum()) - 1, rel=1e-5)


def test_workers_compute_alone_and_leave_torch_as_it_was() -> None:
    def state() -> tuple[int, bool, bool]:
        filling: Any = torch.utils.deterministic
        enabled = torch.are_deterministic_algorithms_enabled()
        return torch.get_num_threads(), enabled, filling.fill_uninitialized_memory

    before = state()
    with workers() as executor:
        assert state()[1:] == (True, False)
        assert {executor.submit(torch.get_num_threads).result() for _ in range(4)} == {1}
    assert state() == before


def test_pixels_are_divided_by_255_and_channels_come_first() -> None:
    x = np.arange(2 * 3 * 3 * 2, dtype=np.uint8).reshape(2, 3, 3, 2)
    tensor = to_tensor(x)
    assert tensor.shape == (2, 2, 3, 3)
    assert tensor[1, 1, 2, 0].item() == pytest.approx(x[1, 2, 0, 1] / 255)


def test_a_training_that_diverges_is_stopped(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8, 3))
    settings = FinetuneSettings(learning_rate=0.3)

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = network(images)
        return torch.nn.functional.cross_entropy(logits, labels) * torch.nan, logits

    samples = split(32, 1)
    with pytest.raises(BuildError, match=r"the loss is nan in step 1; lower learning_rate \(found 0.3\)"):
        fit_alone(
            partial(bar, "toy"), network, objective, samples, None, settings, Length(16, 2, 1, patient=True),
            learning=LEARNING, seed=0, work=tmp_path,
        )  # fmt: skip
