"""Training of the chosen network alone, from its inherited weights."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.space.arch import Arch, Space, largest
from mcubuild.nas.space.family import Family
from mcubuild.nas.training.batches import at_resolution
from mcubuild.nas.training.fit import distilled, finish, fit_alone, labelled
from mcubuild.nas.training.length import ALONE, Pace, length_of
from mcubuild.nas.training.network import Network
from mcubuild.nas.training.recipe import calibrate, device, mixed_precision, workers
from mcubuild.nas.training.supernet import read_supernet
from mcubuild.progress import bar
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.tasks.learning import Learning


def finetune(
    arch: Arch,
    supernet: Path,
    train: Split,
    val: Split | None,
    settings: FinetuneSettings,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    spaces: Sequence[Space] = (),
    pace: Pace = ALONE,
) -> None:
    """Train the network ``arch``; write weights.safetensors (state of ``build_network(arch)``) and finetune_log.json.

    Args:
        arch: the network.
        supernet: weights of the super network that it is from; the largest network of its space is the teacher, if
            there is to be one (``learning.taught``).
        train: the samples to learn from.
        val: the samples that say when to end, and for the log's accuracies; None: all are there to learn from.
        settings: epochs, batch, learning rate.
        learning: how networks learn their task.
        seed: of the order of samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
        spaces: whose networks the super network holds besides those of the network's own space.
        pace: how long the training is where the settings have no epochs.
    """
    with workers() as executor:
        train = at_resolution(train, arch.resolution)
        val = None if val is None else at_resolution(val, arch.resolution)
        whole = read_supernet(supernet, Family(arch.space, tuple(spaces)).largest)
        network = whole.extract(arch).to(device())
        calibrate(network, train)

        def forward(images: Tensor) -> Tensor:
            with mixed_precision(network):
                outputs: Tensor = network(images)
            return outputs.float()

        objective = labelled(forward, learning, settings.label_smoothing)
        if learning.taught:
            teacher: Network = whole
            if whole.largest.space != arch.space:
                teacher = whole.extract(largest(arch.space))
                calibrate(teacher.to(device()), train)
            objective = distilled(forward, teacher.to(device()), learning, settings.label_smoothing, executor)
        progress = partial(bar, "finetune")
        length = length_of(settings, pace, len(train))
        log = fit_alone(
            progress, network, objective, train, val, settings, length, learning=learning, seed=seed, work=work
        )
        finish(network, train, log, out / "weights.safetensors", out / "finetune_log.json")
