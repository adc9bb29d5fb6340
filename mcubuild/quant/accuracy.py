"""What quantisation costs: the float network and the integer executor on the test split."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.accuracy import ACCURACY, Accuracy, Intervals
from mcubuild.data.resize import network_input
from mcubuild.data.splits import Split
from mcubuild.ir.graph import Graph
from mcubuild.ir.widths import arithmetic
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.training.batches import at_resolution
from mcubuild.progress import bar
from mcubuild.quant.outputs import as_reals, float_outputs, integer_outputs
from mcubuild.quant.weights import read_network
from mcubuild.tasks.learning import Learning
from mcubuild.tasks.reading import Reading


def evaluate(
    graph: Graph, arch: Described, weights: Path, test: Split, learning: Learning, reading: Reading, out: Path
) -> None:
    """Write accuracy.json and int8_outputs.npy, the integer network's outputs int8 (N, bytes), to ``out``.

    Args:
        graph: the quantised network.
        arch: of the float network.
        weights: of the float network, a .safetensors file.
        test: the test split, at any resolution.
        learning: how the float network's outputs are judged.
        reading: how the integer network's are.
        out: an existing folder.

    Raises:
        BuildError: the weights are missing or belong to another network.
    """
    samples = at_resolution(test, arch.resolution)
    with bar("accuracy", 2 * len(test)) as progress:
        integers = integer_outputs(graph, samples, progress)
        floats = float_outputs(read_network(arch, weights), samples, progress)
    flat = reading.completed(integers.reshape(len(integers), -1), network_input(samples.x, arch.resolution))
    exact, targets = torch.from_numpy(floats), torch.from_numpy(learning.wanted(samples.x, test.targets))
    reals = as_reals(graph, integers)
    found = Accuracy(
        float=learning.score(exact, targets),
        arithmetic=arithmetic(graph),
        int8=reading.score(flat, test.targets),
        intervals=Intervals(float=learning.interval(exact, targets), int8=reading.interval(flat, test.targets)),
        samples=len(test),
        labels=test.targets.tolist(),
        classification=asdict(reading),  # type: ignore[call-overload]
        agreement=learning.agreement(exact, torch.from_numpy(reals)),
        max_logit_error=round(float(np.abs(reals - floats).max()), 4),
    )
    np.save(out / "int8_outputs.npy", flat)
    write_artifact(found, out / ACCURACY)
