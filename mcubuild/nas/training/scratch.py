"""Training from scratch of one network, searched for or published."""

from functools import partial
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.training.batches import at_resolution
from mcubuild.nas.training.fit import finish, fit_alone, labelled
from mcubuild.nas.training.length import ALONE, SUPERNET, Length, length_of
from mcubuild.nas.training.network import Network, build_network
from mcubuild.nas.training.recipe import Log, device, mixed_precision, workers
from mcubuild.progress import Progress, bar
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.spec.training import TrainingSettings
from mcubuild.tasks.learning import Learning

_SEEDING = Lock()
"""torch's global generator, from which weights are drawn, is that of all threads."""


def full(supernet: SupernetSettings, epochs: int | None) -> TrainingSettings:
    """As many passes over the samples as a searched network has seen: as part of its super network, then alone."""
    return _alike(supernet, None if supernet.epochs is None or epochs is None else supernet.epochs + epochs)


def reduced(supernet: SupernetSettings, epochs: int | None) -> TrainingSettings:
    """To compare sizes of a network: a fine-tuning's passes, at least one."""
    return _alike(supernet, None if epochs is None else max(1, epochs))


def _alike(supernet: SupernetSettings, epochs: int | None) -> TrainingSettings:
    return TrainingSettings(
        epochs=epochs,
        learning_rate=supernet.learning_rate,
        label_smoothing=supernet.label_smoothing,
        batch=supernet.batch,
        ema=supernet.ema,
    )


def train_from_scratch(
    arch: Described,
    train: Split,
    val: Split | None,
    settings: TrainingSettings,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Train ``arch`` from scratch; write weights.safetensors and train_log.json to ``out``.

    Args:
        arch: the network.
        train: the samples to learn from.
        val: the samples that say when to end, and for the log's accuracies; None: all are there to learn from.
        settings: epochs, batch, learning rate, ...
        learning: how networks learn their task.
        seed: of weights and the order of samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
    """
    train = at_resolution(train, arch.resolution)
    val = None if val is None else at_resolution(val, arch.resolution)
    with workers():
        progress = partial(bar, "train")
        length = length_of(settings, SUPERNET + ALONE, len(train))
        network, log = from_scratch(
            arch, train, val, settings, length, learning=learning, seed=seed, work=work, progress=progress
        )
        finish(network, train, log, out / "weights.safetensors", out / "train_log.json")


def from_scratch(
    arch: Described,
    train: Split,
    val: Split | None,
    settings: TrainingSettings,
    length: Length,
    *,
    learning: Learning,
    seed: int,
    work: Path,
    progress: Progress,
) -> tuple[Network, Log]:
    """The trained network, batch norm not calibrated, and the log of its rounds; samples have the network's resolution.

    Several threads may train networks at a time.
    """
    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(arch)
    learning.begin(network.bias)
    network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(images: Tensor) -> Tensor:
        with mixed_precision(network):
            outputs: Tensor = network(images)
        return outputs.float()

    objective = labelled(forward, learning, settings.label_smoothing)
    log = fit_alone(progress, network, objective, train, val, settings, length, learning=learning, seed=seed, work=work)
    return network, log
