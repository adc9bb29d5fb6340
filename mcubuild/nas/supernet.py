"""TinyNAS, second half: one super network that holds the weights of every network in the space.

Elastic kernel (the centre of a larger one), depth (the first blocks of a stage) and width (the first hidden channels),
trained with the sandwich rule (arXiv 1903.05134): each step trains the largest, the smallest and a few random networks,
all but the largest taught by the largest one's output.

Once-for-all sorts hidden channels by importance (L1 norm) after training the largest network alone, so that smaller
ones begin with its best channels. Here the small networks learn from the first step, always with the first channels:
there is nothing to sort before, and to sort later would take from the small networks what they have learned.
"""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from safetensors.torch import load_file, save_file
from torch import Tensor

from mcubuild.data.splits import Split
from mcubuild.nas.arch import Arch, Space, draw, largest, smallest
from mcubuild.nas.augmentation import augmentation
from mcubuild.nas.batches import at_resolution, spread, steps_per_epoch, training_batches
from mcubuild.nas.blocks import Bottleneck, blocks
from mcubuild.nas.depthwise import conv_same
from mcubuild.nas.files import write_json
from mcubuild.nas.network import ConvNorm, InvertedBottleneck, Network, initialise
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
from mcubuild.spec.supernet import SupernetSettings

_CALIBRATION = 256
"""Samples that set the batch norm of the networks in the log."""


class SuperNetwork(Network):
    """The largest network of a space, which can run as any other network of the space."""

    def __init__(self, space: Space) -> None:
        super().__init__(largest(space))
        self.largest = largest(space)

    def forward_as(self, x: Tensor, arch: Arch) -> Tensor:
        """Logits (N, classes) of images (N, channels, R, R) from ``arch``'s share of the weights.

        Batch norm uses the statistics of ``x``, as in training.
        """
        x = _run(self.stem, x)
        for name, block in blocks(arch).items():
            if isinstance(block, Bottleneck):
                x = _run_bottleneck(self.get_submodule(name), x, block)  # type: ignore[arg-type]
        return self.classify(x)

    def extract(self, arch: Arch) -> Network:
        """The plain network of ``arch`` with a copy of its share of the weights."""
        network = Network(arch)
        shared = self.state_dict()
        state = {name: share(shared[name], value.shape).clone() for name, value in network.state_dict().items()}
        network.load_state_dict(state, assign=True)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def share(weights: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The part of the super network's ``weights`` that a network uses where it has ``shape``.

    The first channels of the leading two dimensions, the centre of the trailing two (the kernel's).
    """
    part = weights[tuple(slice(size) for size in shape[:2])]
    if len(shape) == 4:
        border = (weights.shape[2] - shape[2]) // 2
        part = part[:, :, border : border + shape[2], border : border + shape[3]]
    return part


def _run(layer: ConvNorm, x: Tensor, outputs: int | None = None, kernel: int | None = None) -> Tensor:
    """``layer`` with its first ``outputs`` channels and the centre of its kernel, as wide as the input demands."""
    whole, norm = layer.conv.weight, layer.norm
    outputs, kernel = outputs or whole.shape[0], kernel or whole.shape[2]
    depthwise = layer.conv.groups > 1
    weight = share(whole, (outputs, 1 if depthwise else x.shape[1], kernel, kernel))
    x = conv_same(x, weight, layer.conv.stride, outputs if depthwise else 1)
    x = F.batch_norm(x, None, None, norm.weight[:outputs], norm.bias[:outputs], training=True, eps=norm.eps)
    return F.relu6(x, inplace=True) if layer.relu6 else x


def _run_bottleneck(module: InvertedBottleneck, x: Tensor, block: Bottleneck) -> Tensor:
    hidden = x if module.expand is None else _run(module.expand, x, block.hidden)
    y = _run(module.project, _run(module.depthwise, hidden, block.hidden, block.kernel))
    return y if module.add is None else x + y


def train(
    space: Space,
    train: Split,
    val: Split,
    settings: SupernetSettings,
    *,
    task: str,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Train the super network of ``space``; write supernet.safetensors and supernet_log.json to ``out``.

    Args:
        space: the search space.
        train: the samples to learn from.
        val: the samples for the log's accuracies.
        settings: epochs, batch, learning rate, ...
        task: of the spec: what may be done to a sample.
        seed: of weights, order and choice of networks.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
    """
    with workers() as executor:
        train, val = at_resolution(train, space.resolution), at_resolution(val, space.resolution)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SuperNetwork(space).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            initialise(network)
        optimiser = sgd(network)
        augment, steps = augmentation(task), steps_per_epoch(len(train), settings.batch)

        def run(epoch: int, progress: Bar) -> Entry:
            rng = np.random.default_rng([seed, epoch])
            losses, correct = [], 0
            for step, (images, labels) in enumerate(training_batches(train, settings.batch, augment, rng)):
                set_learning_rate(optimiser, settings.learning_rate, epoch * steps + step, settings.epochs * steps)
                archs = [smallest(space), *(draw(space, rng) for _ in range(settings.subnets))]
                loss, right = _step(network, optimiser, images, labels, archs, executor)
                losses.append(loss)
                correct += right
                progress.advance(loss=loss, accuracy=right / len(labels))
            entry = {"loss": float(np.mean(losses)), "train_accuracy": correct / (steps * len(labels))}
            for name, arch in (("largest", largest(space)), ("smallest", smallest(space))):
                network_of = network.extract(arch)
                calibrate(network_of, spread(train, _CALIBRATION))
                entry[f"val_accuracy_{name}"] = evaluate(network_of, val)[0]
            return entry

        log = epochs("supernet", settings.epochs, steps, work, {"network": network, "optimiser": optimiser}, run)
        calibrate(network, train)
        out.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: value.contiguous() for name, value in network.state_dict().items()}, out / "supernet.safetensors"
        )
        write_json(log, out / "supernet_log.json")


def _step(
    network: SuperNetwork,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    archs: list[Arch],
    executor: Executor,
) -> tuple[float, int]:
    """One update from the largest network and ``archs``; the largest one's loss and number of correct answers.

    The networks' gradients are computed in parallel and added in a fixed order.
    """
    parameters = list(network.parameters())
    teacher = network.forward_as(images, network.largest)
    loss = F.cross_entropy(teacher, labels, label_smoothing=LABEL_SMOOTHING)

    def learn(arch: Arch) -> tuple[Tensor | None, ...]:
        error = distillation_loss(network.forward_as(images, arch), teacher)
        return torch.autograd.grad(error, parameters, allow_unused=True)

    largest_first = executor.submit(torch.autograd.grad, loss, parameters)
    others = [executor.submit(learn, arch) for arch in archs]
    for parameter, gradient in zip(parameters, largest_first.result(), strict=True):
        parameter.grad = gradient
    for other in others:
        for parameter, part in zip(parameters, other.result(), strict=True):
            if part is not None and parameter.grad is not None:
                parameter.grad += part
    optimiser.step()
    return loss.item(), int((teacher.argmax(dim=1) == labels).sum())


def read_supernet(path: Path, space: Space) -> SuperNetwork:
    """The trained super network in ``path``, in evaluation mode."""
    network = SuperNetwork(space)
    network.load_state_dict(load_file(path))
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]
