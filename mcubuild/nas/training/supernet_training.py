"""Training of a super network.

The sandwich rule with in-place distillation (arXiv 1903.05134): each step trains the largest, the smallest and a few
random networks, all but the largest taught by the largest one's output. Nothing sorts channels: small networks learn
from the first step, always with the first channels, and to sort later would take from them what they have learned.

Progressive shrinking (once-for-all, arXiv 1908.09791): the largest network alone, whose channels are then sorted by
importance; then random networks that may differ from it in kernel, then in depth, too, then in expansion, too, taught
by the labels and by what the largest was at first. The phases have equal shares of the epochs, and the later ones
``_SHRINKING_RATE`` of the learning rate: once-for-all's proportions differ by data set.

Where neighbours of the space learn, too, batches have the highest resolution, that of the largest network; other
networks get them reduced.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.space.arch import Arch, Space, draw, draw_among, largest, smallest
from mcubuild.nas.space.family import Family
from mcubuild.nas.training.batches import at_resolution, resized, spread
from mcubuild.nas.training.fit import Learn, finish, fit
from mcubuild.nas.training.length import SUPERNET, Length, Pace, length_of
from mcubuild.nas.training.recipe import (
    Entry,
    Log,
    calibrate,
    device,
    evaluate,
    mixed_precision,
    workers,
)
from mcubuild.nas.training.supernet import SuperNetwork, fresh, sort_channels
from mcubuild.progress import bar
from mcubuild.resolution import Resolution
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.learning import Learning

_CALIBRATION = 256
"""Samples that set the batch norm of the networks in the log."""
_PHASES: dict[str, tuple[str, ...]] = {
    "full": (),
    "kernel": ("kernel",),
    "depth": ("kernel", "depth"),
    "expansion": ("kernel", "depth", "expansion"),
}
"""Of progressive shrinking, by name: the choices in which networks differ from the largest."""
_SHRINKING_RATE = 1 / 3


def train(
    space: Space,
    train: Split,
    val: Split,
    settings: SupernetSettings,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    neighbours: Sequence[Space] = (),
    pace: Pace = SUPERNET,
    start: Path | None = None,
) -> None:
    """Train the super network of ``space``; write supernet.safetensors and supernet_log.json to ``out``.

    Args:
        space: the search space.
        train: the samples to learn from.
        val: the samples for the log's accuracies.
        settings: schedule, epochs, batch, learning rate, ...
        learning: how networks learn their task.
        seed: of weights, order and choice of networks.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
        neighbours: spaces whose networks learn in it, too.
        pace: how long the training is where the settings have no epochs.
        start: the weights that it begins with (``transfer``); fresh ones if there are none.
    """
    family = Family(space, tuple(neighbours))
    with workers() as executor:
        judged = {
            arch.resolution: (
                at_resolution(spread(train, _CALIBRATION), arch.resolution),
                at_resolution(val, arch.resolution),
            )
            for arch in _judged(family).values()
        }
        train = at_resolution(train, family.resolution)
        network = fresh(family.largest, seed, kernel_transform=settings.kernel_transform)
        if start is not None:
            network.load_state_dict(load_file(start))
        learning.begin(network.bias)  # of boxes it is fresh, whatever the start
        network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
        length = length_of(settings, pace, len(train))
        run = _Run(network, family, train, judged, settings, length, learning, executor)
        log = run.sandwich(seed, work) if settings.schedule == "sandwich" else run.shrinking(seed, work)
        finish(network, train, log, out / "supernet.safetensors", out / "supernet_log.json")


@dataclass(frozen=True)
class _Run:
    """What the two schedules share."""

    network: SuperNetwork
    family: Family
    train: Split
    judged: Mapping[Resolution, tuple[Split, Split]]
    """By resolution: samples that set the batch norm of the networks in the log, and those that they are judged by."""
    settings: SupernetSettings
    length: Length
    learning: Learning
    executor: Executor

    def sandwich(self, seed: int, work: Path) -> Log:
        learn = sandwich_rule(self.network, self.family, self.learning, self.settings, self.executor)
        return self._fit("supernet", self.settings, self.length, learn, [seed], work)

    def shrinking(self, seed: int, work: Path) -> Log:
        log: Log = []
        teacher, whole = None, self.length
        phases = _phases(self.family)
        for number, (phase, kinds) in enumerate(phases.items()):
            rounds = whole.rounds * (number + 1) // len(phases) - whole.rounds * number // len(phases)
            rate = self.settings.learning_rate * (_SHRINKING_RATE if kinds else 1)
            settings = self.settings.model_copy(update={"learning_rate": rate})
            learn = shrinking_rule(self.network, self.family, teacher, kinds, self.learning, settings, self.executor)
            length = replace(whole, rounds=rounds)
            log += self._fit(f"supernet, {phase}", settings, length, learn, [seed, number], work / phase)
            if teacher is None:
                sort_channels(self.network)
                teacher = deepcopy(self.network)
        return log

    def _fit(
        self, title: str, settings: SupernetSettings, length: Length, learn: Learn, seed: Sequence[int], work: Path
    ) -> Log:
        return fit(
            partial(bar, title), self.network, self.train, settings, length, learn, self._judge,
            learning=self.learning, seed=seed, work=work,
        )  # fmt: skip

    def _judge(self) -> Entry:
        entry = {"val_loss": 0.0}
        for name, arch in _judged(self.family).items():
            calibration, val = self.judged[arch.resolution]
            network = self.network.extract(arch)
            calibrate(network, calibration)
            entry[f"val_accuracy_{name}"], loss = evaluate(network, val, self.learning)
            entry["val_loss"] += loss / 2  # the mean of both
        return entry


def _phases(family: Family) -> dict[str, tuple[str, ...]]:
    """Those of ``_PHASES`` that bring a choice which the networks have; neighbours join with the expansion."""
    space = family.largest
    chosen = {kind for kind, options in zip(space.kinds, space.options, strict=True) if len(options) > 1}
    chosen |= {"full"} | ({"expansion"} if family.neighbours else set())
    return {phase: kinds for phase, kinds in _PHASES.items() if phase in chosen}


def _judged(family: Family) -> dict[str, Arch]:
    return {"largest": largest(family.largest), "smallest": smallest(family.smallest)}


def sandwich_rule(
    network: SuperNetwork, family: Family, learning: Learning, settings: SupernetSettings, executor: Executor
) -> Learn:
    """How the networks of a step learn from each other; loss and answers are the largest one's."""

    def learn(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[float, tuple[int, int]]:
        drawn = [draw(family.draw(rng), rng) for _ in range(settings.subnets)]
        teacher, *others = _answers(network, images, [network.largest, *drawn, smallest(family.smallest)], executor)
        loss = learning.loss(teacher, targets, settings.label_smoothing)
        _add_gradients(network, [loss, *(learning.distillation(outputs, teacher) for outputs in others)], executor)
        return loss.item(), learning.hits(teacher, targets)

    return learn


def shrinking_rule(
    network: SuperNetwork,
    family: Family,
    teacher: SuperNetwork | None,
    kinds: Sequence[str],
    learning: Learning,
    settings: SupernetSettings,
    executor: Executor,
) -> Learn:
    """How networks that differ from the largest in ``kinds`` learn; loss and answers are the first one's of a step.

    Without a teacher it is the largest network that learns, from the labels. Networks of other spaces come last.
    """

    def learn(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[float, tuple[int, int]]:
        spaces = [
            family.draw(rng) if "expansion" in kinds else family.largest
            for _ in range(1 + settings.subnets if kinds else 1)
        ]
        answers = _answers(network, images, [draw_among(space, kinds, rng) for space in spaces], executor)
        with torch.no_grad():
            advice = None if teacher is None else _outputs(teacher, images, teacher.largest)

        def loss_of(outputs: Tensor) -> Tensor:
            loss = learning.loss(outputs, targets, settings.label_smoothing)
            return loss if advice is None else (loss + learning.distillation(outputs, advice)) / 2

        losses = [loss_of(outputs) for outputs in answers]
        _add_gradients(network, losses, executor)
        return losses[0].item(), learning.hits(answers[0], targets)

    return learn


def _outputs(network: SuperNetwork, images: Tensor, arch: Arch) -> Tensor:
    with mixed_precision(network):
        outputs = network.forward_as(resized(images, arch.resolution), arch)
    return outputs.float()


def _answers(network: SuperNetwork, images: Tensor, archs: Sequence[Arch], executor: Executor) -> list[Tensor]:
    """Outputs of ``archs``, computed in parallel; the first should be the one that takes longest."""
    return list(executor.map(lambda arch: _outputs(network, images, arch), archs))


def _add_gradients(network: SuperNetwork, losses: Sequence[Tensor], executor: Executor) -> None:
    """Add the gradients of ``losses`` to the parameters': computed in parallel, added in a fixed order."""
    parameters = list(network.parameters())

    def gradients(loss: Tensor) -> tuple[Tensor | None, ...]:
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    for found in executor.map(gradients, losses):
        for parameter, gradient in zip(parameters, found, strict=True):
            if gradient is None:
                continue
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad += gradient
