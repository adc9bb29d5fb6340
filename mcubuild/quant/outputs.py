"""What the float and the quantised network answer to many samples."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mcubuild.data.resize import network_input
from mcubuild.data.splits import Split
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.nas.batches import evaluation_batches
from mcubuild.nas.network import Network
from mcubuild.nas.training import workers
from mcubuild.progress import Bar

_Batch = TypeVar("_Batch")
_Number = TypeVar("_Number", np.int8, np.float32)

_BATCH = 64
"""Samples between two steps of the progress bar."""


def integer_outputs(graph: Graph, samples: Split, progress: Bar) -> NDArray[np.int8]:
    """Outputs int8 (N, classes) of the integer executor for samples at the network's resolution."""

    def answers(start: int) -> NDArray[np.int8]:
        pixels = samples.x[start : start + _BATCH]
        return run(graph, network_input(pixels, pixels.shape[1]))

    return _on_all_cores(answers, range(0, len(samples), _BATCH), progress)


def float_outputs(network: Network, samples: Split, progress: Bar) -> NDArray[np.float32]:
    """Logits (N, classes) of a network in evaluation mode for samples at its resolution."""

    def logits(batch: tuple[torch.Tensor, torch.Tensor]) -> NDArray[np.float32]:
        with torch.no_grad():  # which holds for one thread
            return np.asarray(network(batch[0]).numpy())

    return _on_all_cores(logits, evaluation_batches(samples), progress)


def _on_all_cores(
    answer: Callable[[_Batch], NDArray[_Number]], batches: Iterable[_Batch], progress: Bar
) -> NDArray[_Number]:
    """The answers to all batches, a batch a core at a time."""
    parts = []
    with workers() as executor:
        for part in executor.map(answer, batches):
            parts.append(part)
            progress.advance(len(part))
    return np.concatenate(parts)
