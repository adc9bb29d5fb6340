"""Training of the chosen network alone, from its inherited weights."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from safetensors.torch import save_file
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.arch import Arch
from mcubuild.nas.augmentation import augmentation
from mcubuild.nas.batches import at_resolution, steps_per_epoch, training_batches
from mcubuild.nas.files import write_json
from mcubuild.nas.network import Network
from mcubuild.nas.supernet import SuperNetwork, read_supernet
from mcubuild.nas.training import (
    Entry,
    calibrate,
    distillation_loss,
    epochs,
    evaluate,
    set_learning_rate,
    sgd,
    workers,
)
from mcubuild.progress import Bar
from mcubuild.spec.finetune import FinetuneSettings


def finetune(
    arch: Arch,
    supernet: Path,
    train: Split,
    val: Split,
    settings: FinetuneSettings,
    *,
    task: str,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Train the network ``arch``; write weights.safetensors (state of ``build_network(arch)``) and finetune_log.json.

    Args:
        arch: the network.
        supernet: weights of the super network that it is from; its largest network is the teacher.
        train: the samples to learn from.
        val: the samples for the log's accuracies.
        settings: epochs, batch, learning rate.
        task: of the spec: what may be done to a sample.
        seed: of the order of samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
    """
    with workers() as executor:
        train, val = at_resolution(train, arch.space.resolution), at_resolution(val, arch.space.resolution)
        teacher = read_supernet(supernet, arch.space)
        network = teacher.extract(arch)
        calibrate(network, train)
        optimiser = sgd(network)
        augment, steps = augmentation(task), steps_per_epoch(len(train), settings.batch)

        def run(epoch: int, progress: Bar) -> Entry:
            network.train()
            losses, correct, seen = [], 0, 0
            batches = training_batches(train, settings.batch, augment, np.random.default_rng([seed, epoch]))
            for step, (images, labels) in enumerate(batches):
                set_learning_rate(optimiser, settings.learning_rate, epoch * steps + step, settings.epochs * steps)
                loss, right = _step(network, teacher, optimiser, images, labels, executor)
                losses.append(loss)
                correct += right
                seen += len(labels)
                progress.advance(loss=loss, accuracy=right / len(labels))
            network.eval()
            accuracy, val_loss = evaluate(network, val)
            return {
                "loss": float(np.mean(losses)),
                "train_accuracy": correct / seen,
                "val_accuracy": accuracy,
                "val_loss": val_loss,
            }

        log = epochs("finetune", settings.epochs, steps, work, {"network": network, "optimiser": optimiser}, run)
        calibrate(network, train)
        out.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: value.contiguous() for name, value in network.state_dict().items()}, out / "weights.safetensors"
        )
        write_json(log, out / "finetune_log.json")


def _step(
    network: Network,
    teacher: SuperNetwork,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    executor: Executor,
) -> tuple[float, int]:
    """One update towards labels and teacher in equal parts; the loss and the number of correct answers."""

    @torch.no_grad()
    def teach() -> Tensor:
        logits: Tensor = teacher(images)
        return logits

    taught = executor.submit(teach)
    optimiser.zero_grad(set_to_none=True)
    logits = network(images)
    loss = (F.cross_entropy(logits, labels) + distillation_loss(logits, taught.result())) / 2
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item(), int((logits.argmax(dim=1) == labels).sum())
