"""The chosen network trained on its own, from the weights that it inherits from the super network."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from safetensors.torch import save_file

from mcubuild.data.splits import Split
from mcubuild.nas.arch import Arch
from mcubuild.nas.batches import at_resolution, steps_per_epoch, training_batches
from mcubuild.nas.files import write_json
from mcubuild.nas.supernet import read_supernet
from mcubuild.nas.training import (
    LABEL_SMOOTHING,
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

TEACHING = 0.5
"""Share of the loss that is distillation from the super network's largest network; the labels have the rest."""


def finetune(
    arch: Arch,
    supernet: Path,
    train: Split,
    val: Split,
    settings: FinetuneSettings,
    *,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Train ``arch`` further; write weights.safetensors and finetune_log.json to ``out``.

    Args:
        arch: the chosen network.
        supernet: weights of the super network.
        train: the samples to learn from.
        val: the samples for the log's accuracies.
        settings: epochs, batch, learning rate.
        seed: of the order and shifts of the samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
    """
    with workers() as executor:
        train, val = at_resolution(train, arch.space.resolution), at_resolution(val, arch.space.resolution)
        teacher = read_supernet(supernet, arch.space)
        network = teacher.extract(arch)
        calibrate(network, train)
        optimiser = sgd(network)
        steps = steps_per_epoch(len(train), settings.batch)

        @torch.no_grad()
        def teach(images: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = teacher(images)
            return logits

        def run(epoch: int, progress: Bar) -> Entry:
            rng = np.random.default_rng([seed, epoch])
            losses, correct = [], 0
            network.train()
            for step, (images, labels) in enumerate(training_batches(train, settings.batch, rng)):
                set_learning_rate(optimiser, settings.learning_rate, epoch * steps + step, settings.epochs * steps)
                taught = executor.submit(teach, images)
                logits = network(images)
                labelled = F.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
                loss = (1 - TEACHING) * labelled + TEACHING * distillation_loss(logits, taught.result())
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses.append(loss.item())
                right = int((logits.argmax(dim=1) == labels).sum())
                correct += right
                progress.advance(loss=losses[-1], accuracy=right / len(labels))
            network.eval()
            return {
                "loss": float(np.mean(losses)),
                "train_accuracy": correct / (steps * len(labels)),
                "val_accuracy": evaluate(network, val)[0],
            }

        log = epochs("fine-tune", settings.epochs, steps, work, {"network": network, "optimiser": optimiser}, run)
        calibrate(network, train)
        out.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: value.contiguous() for name, value in network.state_dict().items()}, out / "weights.safetensors"
        )
        write_json(log, out / "finetune_log.json")
