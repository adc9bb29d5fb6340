"""What quantisation costs: the float network and the integer executor on the test split."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

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

    The JSON holds ``float`` and ``int8`` (scores, 0 ... 1; the second of integers,
    whatever their ``arithmetic``) with their 95 % intervals in ``intervals``, ``samples``,
    ``labels`` (the targets), ``agreement`` (how much the answers of both networks agree, 0 ... 1),
    ``max_logit_error`` (the largest difference of an output) and ``classification`` (how the int8 outputs are read:
    the fields of the task's reading).

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
    score = learning.score(exact, targets)
    content = {
        "float": score,
        "arithmetic": arithmetic(graph),
        "int8": reading.score(flat, test.targets),
        "intervals": {"float": learning.interval(exact, targets), "int8": reading.interval(flat, test.targets)},
        "samples": len(test),
        "labels": test.targets.tolist(),
        "agreement": learning.agreement(exact, torch.from_numpy(as_reals(graph, integers))),
        "max_logit_error": round(float(np.abs(as_reals(graph, integers) - floats).max()), 4),
        "classification": asdict(reading),  # type: ignore[call-overload]
    }
    np.save(out / "int8_outputs.npy", flat)
    (out / "accuracy.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
