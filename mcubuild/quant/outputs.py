"""What the float and the quantised network answer to many samples."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mcubuild.data.resize import network_input, resolution_of
from mcubuild.data.splits import Split
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.nas.training.batches import to_tensor
from mcubuild.nas.training.network import Network
from mcubuild.nas.training.recipe import workers
from mcubuild.progress import Bar

_Number = TypeVar("_Number", np.int8, np.float32)

_BATCH = 64
"""Samples that a core computes at a time: what is made of pixels on the way takes many times their memory."""


def integer_outputs(graph: Graph, samples: Split, progress: Bar) -> NDArray[np.int8]:
    """Outputs int8 (N, ..., channels) of the integer executor for samples at the network's resolution."""

    def answers(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
        return run(graph, network_input(pixels, resolution_of(pixels)))

    return _on_all_cores(answers, samples, progress)


def real_outputs(graph: Graph, samples: Split, progress: Bar) -> NDArray[np.float32]:
    """What the integer executor's outputs stand for, in the shape of ``float_outputs``."""
    return as_reals(graph, integer_outputs(graph, samples, progress))


def as_reals(graph: Graph, outputs: NDArray[np.int8]) -> NDArray[np.float32]:
    """What the ``outputs`` (N, ..., channels) of a quantised graph stand for, (N, channels, ...)."""
    quantization = graph.tensor(graph.outputs[0]).quantization
    assert quantization is not None, "a quantised graph"
    real = np.float32(quantization.scale[0]) * (outputs.astype(np.float32) - quantization.zero_point)
    return np.ascontiguousarray(np.moveaxis(real, -1, 1))


def float_outputs(network: Network, samples: Split, progress: Bar) -> NDArray[np.float32]:
    """Outputs (N, channels, ...) of a network in evaluation mode for samples at its resolution."""

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():  # which holds for one thread
            return np.asarray(network(to_tensor(pixels)).numpy())

    return _on_all_cores(logits, samples, progress)


def _on_all_cores(
    answer: Callable[[NDArray[np.uint8]], NDArray[_Number]], samples: Split, progress: Bar
) -> NDArray[_Number]:
    """The answers to all samples, ``_BATCH`` a core at a time."""
    batches = (samples.x[start : start + _BATCH] for start in range(0, len(samples), _BATCH))
    parts = []
    with workers() as executor:
        for part in executor.map(answer, batches):
            parts.append(part)
            progress.advance(len(part))
    return np.concatenate(parts)
