"""What quantisation costs: the float network and the integer executor on the test split."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mcubuild.data.splits import Split
from mcubuild.ir.classification import Classification
from mcubuild.ir.graph import Graph
from mcubuild.ir.widths import arithmetic
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.training.batches import at_resolution
from mcubuild.progress import bar
from mcubuild.quant.outputs import float_outputs, integer_outputs
from mcubuild.quant.weights import read_network


def evaluate(graph: Graph, arch: Described, weights: Path, test: Split, out: Path) -> None:
    """Write accuracy.json and int8_outputs.npy, the integer network's outputs int8 (N, classes), to ``out``.

    The JSON holds ``float`` and ``int8`` (top-1 accuracies, 0 ... 1; the second of integers, whatever their
    ``arithmetic``), ``samples``, ``labels``, ``predictions_int8``,
    ``confusion_int8`` (rows: true class, columns: predicted), ``agreement`` (share of samples that both networks put
    in the same class), ``max_logit_error`` and ``classification`` (how the int8 outputs are read: the fields of
    ``ir.classification.Classification``).

    Args:
        graph: the quantised network.
        arch: of the float network.
        weights: of the float network, a .safetensors file.
        test: the test split, at any resolution.
        out: an existing folder.

    Raises:
        BuildError: the weights are missing or belong to another network.
    """
    reads = Classification.of(graph)
    samples = at_resolution(test, arch.resolution)
    with bar("accuracy", 2 * len(test)) as progress:
        integers = integer_outputs(graph, samples, progress)
        floats = float_outputs(read_network(arch, weights), samples, progress)
    predicted, expected = reads.answers(integers), floats.argmax(axis=1)
    confusion = np.zeros((reads.classes, reads.classes), np.int64)
    np.add.at(confusion, (test.y, predicted), 1)
    content = {
        "float": float((expected == test.y).mean()),
        "arithmetic": arithmetic(graph),
        "int8": float((predicted == test.y).mean()),
        "samples": len(test),
        "labels": test.y.tolist(),
        "predictions_int8": predicted.tolist(),
        "confusion_int8": confusion.tolist(),
        "agreement": float((predicted == expected).mean()),
        "max_logit_error": round(float(np.abs(reads.scores(integers) - floats).max()), 4),
        "classification": asdict(reads),
    }
    np.save(out / "int8_outputs.npy", integers)
    (out / "accuracy.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
