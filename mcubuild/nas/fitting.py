"""Training of one network by itself: epochs of varied samples, towards whatever objective."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.augmentation import augmentation
from mcubuild.nas.batches import steps_per_epoch, training_batches
from mcubuild.nas.files import write_json
from mcubuild.nas.network import Network
from mcubuild.nas.training import Entry, Log, calibrate, epochs, evaluate, set_learning_rate, sgd
from mcubuild.progress import Bar

Objective: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Images (N, C, R, R) and labels (N,) -> loss, a scalar, and the network's logits (N, classes)."""


class Schedule(Protocol):
    """How long and how fast to train: settings of a spec, for one."""

    @property
    def epochs(self) -> int:
        """Passes over the training samples."""

    @property
    def batch(self) -> int:
        """Samples a step."""

    @property
    def learning_rate(self) -> float:
        """Peak; linear warm-up, then cosine decay to 0."""


def fit(
    title: str,
    network: Network,
    objective: Objective,
    train: Split,
    val: Split,
    schedule: Schedule,
    *,
    task: str,
    seed: int,
    work: Path,
) -> Log:
    """Train ``network`` in place, batch norm calibrated at the end; the log of all epochs.

    Args:
        title: of the progress bar.
        network: what ``objective`` runs.
        objective: what to minimise.
        train: the samples to learn from, at the network's resolution.
        val: the samples for the log's accuracies, at the same.
        schedule: epochs, batch, learning rate.
        task: of the spec: what may be done to a sample.
        seed: of the order of samples.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
    """
    optimiser = sgd(network)
    augment, steps = augmentation(task), steps_per_epoch(len(train), schedule.batch)

    def run(epoch: int, progress: Bar) -> Entry:
        network.train()
        losses, correct, seen = [], 0, 0
        batches = training_batches(train, schedule.batch, augment, np.random.default_rng([seed, epoch]))
        for step, (images, labels) in enumerate(batches):
            set_learning_rate(optimiser, schedule.learning_rate, epoch * steps + step, schedule.epochs * steps)
            optimiser.zero_grad(set_to_none=True)
            loss, logits = objective(images, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            right = int((logits.argmax(dim=1) == labels).sum())
            losses.append(loss.item())
            correct += right
            seen += len(labels)
            progress.advance(loss=losses[-1], accuracy=right / len(labels))
        network.eval()
        accuracy, val_loss = evaluate(network, val)
        return {
            "loss": float(np.mean(losses)),
            "train_accuracy": correct / seen,
            "val_accuracy": accuracy,
            "val_loss": val_loss,
        }

    log = epochs(title, schedule.epochs, steps, work, {"network": network, "optimiser": optimiser}, run)
    calibrate(network, train)
    return log


def write_trained(network: Network, log: Log, out: Path) -> None:
    """Write weights.safetensors (state of ``build_network(arch)``) and finetune_log.json to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, out / "weights.safetensors")
    write_json(log, out / "finetune_log.json")
