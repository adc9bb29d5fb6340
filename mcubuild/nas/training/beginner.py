"""What a beginner tries first: a plain network, and a random forest on the pixels. A search has to be worth more.

The recipe is a common one and stays as it is, whatever the pipeline learns to do better. Neither needs validation
samples, so both learn from all labelled ones.
"""

import os
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor, nn

from mcubuild.data.resize import resize
from mcubuild.data.splits import Split
from mcubuild.nas.training.batches import to_tensor
from mcubuild.nas.training.length import steps_per_epoch
from mcubuild.nas.training.recipe import deterministic, device, device_of, evaluate
from mcubuild.progress import bar
from mcubuild.resolution import Resolution
from mcubuild.tasks.classification.learning import ClassLearning

LARGEST = 64
"""Pixels: larger pictures are reduced first, as three convolutions see too little of them and forests have too many
pixels to choose from."""
WIDTHS = (24, 48, 64)
EPOCHS = 25
BATCH = 32
PEAK = 0.1
"""Of the learning rate."""
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
SMOOTHING = 0.1
"""Share of the labels' probability that is spread over all classes."""
DROPOUT = 0.2
SHIFT = 1 / 8
"""Largest shift of a picture, as a share of its side: the 4 pixels that are common at 32."""
TREES = 300


def _network(side: int, channels: int, classes: int, *, series: bool = False) -> nn.Sequential:
    """Images (N, channels, side, side) to logits (N, classes); maps of a single pixel are not pooled.

    Series (N, channels, side, 1) are convolved and pooled along their length alone.
    """
    size, border, pool = ((3, 1), (1, 0), (2, 1)) if series else ((3, 3), (1, 1), (2, 2))
    layers: list[nn.Module] = []
    for width in WIDTHS:
        layers += [nn.Conv2d(channels, width, size, padding=border, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        if side > 1:
            layers.append(nn.MaxPool2d(pool))
        side, channels = side // 2, width
    return nn.Sequential(*layers, _Mean(), nn.Dropout(DROPOUT), nn.Linear(channels, classes))


class _Mean(nn.Module):
    """Maps (N, C, H, W) to their means (N, C), by an operation that is deterministic on GPUs, too."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def plain_network(samples: Split, test: Split, classes: int, *, task: str, mirror: bool, seed: int) -> float:
    """Accuracy on ``test``, 0 ... 1, of a plain network in floating point.

    Three 3x3 convolutions, each with batch norm, ReLU and 2x2 max pooling; the mean over the map, dropout, a linear
    classifier. SGD with one cycle of the learning rate and, as PyTorch's OneCycleLR has it, of the momentum; one
    thread, so that the same seed gives the same bits.

    Args:
        samples: to learn from.
        test: to be judged by.
        classes: how many there are.
        task: of the spec: pictures are shifted both ways, sounds and series in time alone.
        mirror: whether left and right may change places.
        seed: of everything random.
    """
    samples, test = _reduced(samples), _reduced(test)
    _, side, width, channels = samples.x.shape
    reach, series = round(SHIFT * side), width == 1 < side
    down, right = 0 if task == "audio_classification" else reach, 0 if series else reach
    vary = partial(_varied, down=down, right=right, mirror=mirror)
    rng = np.random.default_rng(seed)
    steps = steps_per_epoch(len(samples), BATCH)
    with deterministic(threads=1), torch.random.fork_rng(), bar("plain network", EPOCHS * steps) as shown:
        torch.manual_seed(seed)
        network = _network(side, channels, classes, series=series).to(device())
        optimiser = torch.optim.SGD(
            network.parameters(), lr=PEAK, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, total_steps=EPOCHS * steps)
        network.train()
        for _ in range(EPOCHS):
            order = rng.permutation(len(samples))
            for step in range(steps):
                chosen = order[step * BATCH : (step + 1) * BATCH]
                logits = network(vary(to_tensor(samples.x[chosen]), rng).to(device_of(network)))
                labels = torch.from_numpy(samples.y[chosen]).to(device_of(network))
                loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                shown.advance(loss=loss.item())
        network.eval()
        return evaluate(network, test, ClassLearning("drawings"))[0]


def random_forest(samples: Split, test: Split, *, seed: int) -> float:
    """Accuracy on ``test``, 0 ... 1, of 300 trees (scikit-learn's other defaults) that learn pixels of ``samples``."""
    from sklearn.ensemble import RandomForestClassifier

    pixels, unseen = (_reduced(split).x.reshape(len(split), -1) for split in (samples, test))
    forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=os.cpu_count()).fit(pixels, samples.y)
    forest.set_params(n_jobs=1)  # several threads would add the trees' votes in any order
    return float((forest.predict(unseen) == test.y).mean())


def _reduced(split: Split) -> Split:
    return Split(resize(split.x, Resolution(*(min(side, LARGEST) for side in split.x.shape[1:3]))), split.y)


def _varied(images: Tensor, rng: np.random.Generator, *, down: int, right: int, mirror: bool) -> Tensor:
    """Each image (C, H, W) moved by up to ``down`` and ``right`` pixels, black behind it; half of them mirrored."""
    count, _, height, width = images.shape
    if mirror:
        swapped = torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]
        images = torch.where(swapped, images.flip(3), images)
    images = F.pad(images, (right, right, down, down))
    tops, lefts = rng.integers(2 * down + 1, size=count), rng.integers(2 * right + 1, size=count)
    places = zip(images, tops.tolist(), lefts.tolist(), strict=True)
    return torch.stack([image[:, top : top + height, left : left + width] for image, top, left in places])
