"""A small, learnable data set and a small space, for tests that train."""

import io
from pathlib import Path

import numpy as np
import torch

from mcubuild.board import Board
from mcubuild.checkpoint import restore
from mcubuild.data.splits import Split
from mcubuild.nas.space.arch import Space
from mcubuild.resolution import square
from mcubuild.tasks.classification.learning import ClassLearning

LEARNING = ClassLearning("drawings")
SPACE = Space(width=0.2, resolution=square(8), channels=1, classes=3)


def split(samples: int, seed: int) -> Split:
    """8x8 images: bright above, bright on the left or neither, under noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=samples)
    x = rng.integers(60, size=(samples, 8, 8, 1))
    x[y == 0, :4] += 150
    x[y == 1, :, :4] += 150
    return Split(x.astype(np.uint8), y.astype(np.int64))


def seconds_for(cycles: float, board: Board) -> float:
    """The shortest limit of the latency that networks of ``cycles``, estimated, are within."""
    return (cycles + 0.5) / board.runs_at


def logged(work: Path) -> list[dict[str, float]]:
    """The epochs that the checkpoint of a training holds."""
    content = restore(work / "checkpoint.pt")
    assert content is not None
    log: list[dict[str, float]] = torch.load(io.BytesIO(content))["log"]
    return log
