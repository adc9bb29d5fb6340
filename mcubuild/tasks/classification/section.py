"""What a report shows of classes: which are confused, the worst mistakes, and why to doubt the accuracy."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.model import Accuracy, ClassResult
from mcubuild.tasks.classification import confusion, doubts
from mcubuild.tasks.classification.amplitudes import told
from mcubuild.tasks.classification.reading import Classification

SHORT = 40
"""Characters of all class names together that fit above a matrix on a phone."""


def classes(artifacts: Artifacts) -> list[ClassResult] | None:
    """How the integer reference did on each class."""
    reads = _reading(artifacts)
    matrix = confusion.confusion_matrix(artifacts.targets, reads.answers(artifacts.expected), reads.classes)
    counts = zip(artifacts.classes, matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix), strict=True)
    return [
        ClassResult(name=name, samples=int(samples), answers=int(answers), right=int(right))
        for name, samples, answers, right in counts
    ]


def details(artifacts: Artifacts) -> dict[str, Any] | None:
    """Nothing: the classes say it all."""
    return None


def cautions(artifacts: Artifacts, accuracy: Accuracy) -> Iterator[str]:
    """Why to read the accuracy with care."""
    yield from doubts.cautions(artifacts, _reading(artifacts), accuracy, classes(artifacts) or ())


def guessing(artifacts: Artifacts) -> float:
    """Cross-entropy of answers at random."""
    return math.log(len(artifacts.classes))


def augmentation(index: Index) -> str:
    """How training samples are varied."""
    return told(index)


def values(artifacts: Artifacts, samples: NDArray[np.int64], examples: int) -> dict[str, Any]:
    """Confusion matrix, or the most frequent confusions, and the ``examples`` worst mistakes."""
    reads, names, outputs = _reading(artifacts), artifacts.classes, artifacts.outputs
    true = artifacts.targets[samples]
    matrix = confusion.confusion_matrix(true, reads.answers(outputs), len(names))
    images = None if artifacts.test is None else artifacts.test.x[samples]
    return {
        "reads": reads,
        "matrix": confusion.matrix_cells(matrix, names) if len(names) <= confusion.MATRIX_CLASSES else None,
        "recalls": confusion.recalls(matrix),
        "confusions": confusion.confusions(matrix, names),
        "mistakes": []
        if images is None
        else confusion.mistakes(outputs, images, true, samples, names, reads=reads, count=examples),
        "class_names": names,
        "short_names": sum(len(name) for name in names) <= SHORT,
        "errors": int(matrix.sum() - np.trace(matrix)),
    }


def _reading(artifacts: Artifacts) -> Classification:
    reads = artifacts.reading
    assert isinstance(reads, Classification), "called where labels are known"
    return reads
