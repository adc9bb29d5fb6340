"""The loop of every training: epochs of steps with a learning rate, an average of the weights, checkpoints, a log."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from safetensors.torch import save_file
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.nas.space.files import write_json
from mcubuild.nas.training import group
from mcubuild.nas.training.augmentation import Variation
from mcubuild.nas.training.average import Average
from mcubuild.nas.training.batches import training_batches
from mcubuild.nas.training.length import Length
from mcubuild.nas.training.recipe import (
    Entry,
    Log,
    Stateful,
    calibrate,
    device_of,
    distillation_loss,
    evaluate,
    mixed_precision,
    rounds,
    set_learning_rate,
    sgd,
)
from mcubuild.progress import Bar, Progress
from mcubuild.spec.training import TrainingSettings

Learn: TypeAlias = Callable[[Tensor, Tensor, np.random.Generator], tuple[float, int]]
"""Sets the gradients that images (N, C, R, R) and labels (N,) give; the loss and the number of correct answers."""
Objective: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Images (N, C, R, R) and labels (N,) -> loss, a scalar, and the network's logits (N, classes)."""


def fit(
    progress: Progress,
    network: nn.Module,
    train: Split,
    settings: TrainingSettings,
    length: Length,
    learn: Learn,
    judge: Callable[[], Entry],
    *,
    vary: Variation,
    seed: Sequence[int],
    work: Path,
) -> Log:
    """Train ``network`` in place; its batch norm is not calibrated.

    Args:
        progress: opens the progress bar.
        network: what learns; its weights become their moving average in the end, if there is one.
        train: the samples to learn from, at the network's resolution.
        settings: learning rate, average.
        length: batch, rounds and steps.
        learn: computes gradients; its random choices must come from the generator that it gets.
        judge: figures of the network after a round, whose weights are the average then, if there is one; ``val_loss``
            among them decides when training ends.
        vary: what may be done to a sample.
        seed: of the order of samples and all other random choices.
        work: folder for the checkpoint of this very training; a killed run goes on from there to the same bits.

    Returns:
        An entry a round: steps, loss, train_accuracy, and what ``judge`` adds.
    """
    parameters, optimiser, device = list(network.parameters()), sgd(network), device_of(network)
    average = Average(network, settings.ema) if settings.ema else None

    def run(log: Log, shown: Bar) -> Entry:
        rng = np.random.default_rng([*seed, len(log)])
        losses, correct, seen, first = [], 0, 0, len(log) * length.steps
        for step, (images, labels) in enumerate(training_batches(train, length.batch, length.steps, vary, rng), first):
            set_learning_rate(optimiser, length.rate(settings.learning_rate, step, log))
            optimiser.zero_grad(set_to_none=True)
            loss, right = learn(group.part(images).to(device), group.part(labels).to(device), rng)
            group.average_gradients(parameters)
            optimiser.step()
            if average is not None:
                average.update()
            losses.append(loss)
            correct += right
            seen += len(group.part(labels))
            shown.advance(loss=loss, accuracy=right / len(group.part(labels)))
        sums = group.total([float(np.mean(losses)), correct, seen], device)
        entry = {"steps": length.steps, "loss": sums[0] / group.count(), "train_accuracy": sums[1] / sums[2]}
        if average is None:
            return entry | judge()
        average.swap()
        try:
            return entry | judge()
        finally:
            average.swap()

    state: dict[str, Stateful] = {"network": network, "optimiser": optimiser}
    if average is not None:
        state["average"] = average
    log = rounds(progress, length, work, state, run)
    if average is not None:
        average.swap()
    return log


def fit_alone(
    progress: Progress,
    network: nn.Module,
    objective: Objective,
    train: Split,
    val: Split | None,
    settings: TrainingSettings,
    length: Length,
    *,
    vary: Variation,
    seed: int,
    work: Path,
) -> Log:
    """``fit`` for a ``network`` that has no other networks in it: what ``objective`` demands, judged by ``val``.

    Without samples to judge by, nothing ends the training before its ``length``.
    """
    if val is None:
        length = replace(length, patient=True)

    def learn(images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[float, int]:
        network.train()
        loss, logits = objective(images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), int((logits.argmax(dim=1) == labels).sum())

    def judge() -> Entry:
        if val is None:
            return {}
        network.eval()
        accuracy, loss = evaluate(network, val)
        return {"val_accuracy": accuracy, "val_loss": loss}

    return fit(progress, network, train, settings, length, learn, judge, vary=vary, seed=[seed], work=work)


def distilled(
    forward: Callable[[Tensor], Tensor], teacher: nn.Module, smoothing: float, executor: Executor
) -> Objective:
    """Labels, smoothed, and the answers of ``teacher`` in equal parts.

    Args:
        forward: logits (N, classes) of the network that learns.
        teacher: in evaluation mode.
        smoothing: share of the labels' probability that is spread over all classes.
        executor: where the teacher computes meanwhile.
    """

    @torch.no_grad()
    def teach(images: Tensor) -> Tensor:
        with mixed_precision(teacher):
            logits: Tensor = teacher(images)
        return logits.float()

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        taught = executor.submit(teach, images)
        logits = forward(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        return (loss + distillation_loss(logits, taught.result())) / 2, logits

    return objective


def finish(network: nn.Module, train: Split, log: Log, weights: Path, log_path: Path) -> None:
    """Calibrate batch norm with all of ``train``; write the weights (safetensors) and the log (JSON)."""
    calibrate(network, train)
    if group.first():
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, weights)
        write_json(log, log_path)
