"""From stored images to the tensors that networks train on and are judged by."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from torch import Tensor

from mcubuild.data.resize import resize
from mcubuild.data.splits import Split, joined
from mcubuild.nas.training.length import steps_per_epoch
from mcubuild.resolution import Resolution
from mcubuild.tasks.learning import Learning

_EVALUATED = 256
"""Samples a batch where no gradient is needed."""


def at_resolution(split: Split, resolution: Resolution) -> Split:
    """The split with images of that ``resolution``."""
    noise = None if split.noise is None else resize(split.noise, resolution)
    return replace(split, x=resize(split.x, resolution), noise=noise)


def resized(images: Tensor, resolution: Resolution) -> Tensor:
    """Images (N, C, H, W) at ``resolution``, filtered like stored ones; or as they are."""
    size = (resolution.height, resolution.width)
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def spread(split: Split, samples: int) -> Split:
    """``samples`` of the split, as many of each class as its share, evenly spread over it; all if there are fewer.

    They are taken from the order of classes: data may come in an order that repeats, such as a class after the other.
    """
    wanted = min(samples, len(split))
    chosen = np.argsort(split.y, kind="stable")[np.arange(wanted) * len(split) // wanted]
    return split.part(chosen)


def for_the_last_training(train: Split, val: Split, *, one_draw: bool) -> tuple[Split, Split | None]:
    """What the network that is built learns from, and what it is judged by meanwhile, if anything.

    Once the network is chosen, validation samples have nothing more to decide: where they are of ``one_draw`` with the
    training samples they are worth as much as those, and where samples are few they are what accuracy lacks.
    """
    return (joined(train, val), None) if one_draw else (train, val)


def training_batches(
    split: Split, batch: int, steps: int, learning: Learning, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """``steps`` batches, pass after pass in random order, each image varied at random.

    Images are (N, C, H, W) in 0 ... 1, with their targets (N, ...). Those of many samples are read by their indexes
    while the training computes, as the split need not fit into memory.
    """
    epoch, learning = steps_per_epoch(len(split), batch), learning.suited(len(split))
    with ThreadPoolExecutor(1) as ahead:
        for first in range(0, steps, epoch):
            order = rng.permutation(len(split))
            batches = [order[step * batch : (step + 1) * batch] for step in range(min(epoch, steps - first))]
            # Pixels of the next batch come from the disk meanwhile; what is drawn keeps its order.
            coming = ahead.submit(split.x.__getitem__, batches[0])
            for number, chosen in enumerate(batches):
                x = coming.result()
                if number + 1 < len(batches):
                    coming = ahead.submit(split.x.__getitem__, batches[number + 1])
                varied, targets = learning.vary(x, split.targets[chosen], rng, split.noise)
                yield to_tensor(varied), torch.from_numpy(targets)


def calibration_batches(split: Split) -> Iterator[Tensor]:
    """Images unchanged, in full batches, or all of them in one; always in the same random order.

    In order a batch might hold a single class, as folders do: batch norm's statistics would be of nothing that occurs.
    """
    order = np.random.default_rng(0).permutation(len(split))
    for step in range(steps_per_epoch(len(split), _EVALUATED)):
        yield to_tensor(split.x[order[step * _EVALUATED : (step + 1) * _EVALUATED]])


def evaluation_batches(split: Split, learning: Learning) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples in order, unchanged, with what is wanted of them."""
    for start in range(0, len(split), _EVALUATED):
        x, targets = split.x[start : start + _EVALUATED], split.targets[start : start + _EVALUATED]
        yield to_tensor(x), torch.from_numpy(learning.wanted(x, targets))


def image_batches(split: Split) -> Iterator[Tensor]:
    """The images of ``evaluation_batches`` alone."""
    for start in range(0, len(split), _EVALUATED):
        yield to_tensor(split.x[start : start + _EVALUATED])


def to_tensor(x: NDArray[np.uint8]) -> Tensor:
    """Pixels (N, H, W, C) -> pixel / 255 as float32 (N, C, H, W), channels last in memory: twice as fast on CPUs."""
    # Mapped pixels cannot be written, and torch knows no such tensors.
    images = torch.from_numpy(np.require(x, requirements=("C", "W"))).permute(0, 3, 1, 2).float() / 255
    return images.contiguous(memory_format=torch.channels_last)
