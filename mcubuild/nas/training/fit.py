"""The loop of every training: epochs of steps with a learning rate, an average of the weights, checkpoints, a log."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.nas.space.files import write_json
from mcubuild.nas.training import group
from mcubuild.nas.training.average import Average
from mcubuild.nas.training.batches import training_batches
from mcubuild.nas.training.length import Length
from mcubuild.nas.training.recipe import (
    Entry,
    Log,
    Stateful,
    calibrate,
    device_of,
    evaluate,
    mixed_precision,
    rounds,
    set_learning_rate,
    sgd,
)
from mcubuild.progress import Bar, Progress
from mcubuild.spec.training import TrainingSettings
from mcubuild.tasks.learning import Learning

Learn: TypeAlias = Callable[[Tensor, Tensor, np.random.Generator], tuple[float, tuple[int, int]]]
"""Sets the gradients that images (N, C, R, R) and targets (N, ...) give; the loss and ``Learning.hits``."""
Objective: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Images (N, C, R, R) and targets (N, ...) -> loss, a scalar, and the network's outputs (N, ...)."""


def fit(
    progress: Progress,
    network: nn.Module,
    train: Split,
    settings: TrainingSettings,
    length: Length,
    learn: Learn,
    judge: Callable[[], Entry],
    *,
    learning: Learning,
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
        learning: how networks learn their task.
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
        batches = training_batches(train, length.batch, length.steps, learning, rng)
        for step, (images, targets) in enumerate(batches, first):
            set_learning_rate(optimiser, length.rate(settings.learning_rate, step, log))
            optimiser.zero_grad(set_to_none=True)
            loss, (right, asked) = learn(group.part(images).to(device), group.part(targets).to(device), rng)
            if not math.isfinite(loss):
                raise BuildError(
                    f"training: the loss is {loss} in step {step + 1}; lower learning_rate (found "
                    f"{settings.learning_rate:g}) in the table of this training, [supernet], [finetune] or [quantize]."
                )
            group.average_gradients(parameters)
            if learning.longest is not None:
                nn.utils.clip_grad_norm_(parameters, learning.longest)
            optimiser.step()
            if average is not None:
                average.update()
            losses.append(loss)
            correct += right
            seen += asked
            shown.advance(loss=loss, accuracy=right / max(1, asked))
        sums = group.total([float(np.mean(losses)), correct, seen], device)
        entry = {"steps": length.steps, "loss": sums[0] / group.count(), "train_accuracy": sums[1] / max(1, sums[2])}
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
    learning: Learning,
    seed: int,
    work: Path,
) -> Log:
    """``fit`` for a ``network`` that has no other networks in it: what ``objective`` demands, judged by ``val``.

    Without samples to judge by, nothing ends the training before its ``length``.
    """
    if val is None:
        length = replace(length, patient=True)

    def learn(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[float, tuple[int, int]]:
        network.train()
        loss, outputs = objective(images, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), learning.hits(outputs, targets)

    def judge() -> Entry:
        if val is None:
            return {}
        network.eval()
        score, loss = evaluate(network, val, learning)
        return {"val_accuracy": score, "val_loss": loss}

    return fit(progress, network, train, settings, length, learn, judge, learning=learning, seed=[seed], work=work)


def labelled(forward: Callable[[Tensor], Tensor], learning: Learning, smoothing: float) -> Objective:
    """Targets alone; the arguments are those of ``distilled``."""

    def objective(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = forward(images)
        return learning.loss(outputs, targets, smoothing), outputs

    return objective


def distilled(
    forward: Callable[[Tensor], Tensor], teacher: nn.Module, learning: Learning, smoothing: float, executor: Executor
) -> Objective:
    """Targets, smoothed, and the answers of ``teacher`` in equal parts.

    Args:
        forward: outputs of the network that learns.
        teacher: in evaluation mode.
        learning: has the losses.
        smoothing: share of the labels' probability that is spread over all classes.
        executor: where the teacher computes meanwhile.
    """

    @torch.no_grad()
    def teach(images: Tensor) -> Tensor:
        with mixed_precision(teacher):
            outputs: Tensor = teacher(images)
        return outputs.float()

    def objective(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        taught = executor.submit(teach, images)
        outputs = forward(images)
        loss = learning.loss(outputs, targets, smoothing)
        return (loss + learning.distillation(outputs, taught.result())) / 2, outputs

    return objective


def finish(network: nn.Module, train: Split, log: Log, weights: Path, log_path: Path) -> None:
    """Calibrate batch norm with all of ``train``; write the weights (safetensors) and the log (JSON)."""
    calibrate(network, train)
    if group.first():
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, weights)
        write_json(log, log_path)
