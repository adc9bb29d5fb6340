"""Which classes the firmware confuses, and the samples it is most wrong about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.report.picture import png
from mcubuild.tasks.classification.reading import Classification

MATRIX_CLASSES = 20
"""Above that a matrix is unreadable, and only the most frequent confusions are listed."""
CONFUSIONS = 10


@dataclass(frozen=True)
class Confusion:
    """How often one class is taken for another."""

    true: str
    predicted: str
    count: int
    share: float
    """Of the samples of the true class, 0 ... 1."""


@dataclass(frozen=True)
class Mistake:
    """A sample that the firmware classifies wrongly."""

    sample: int
    """Index in the test split."""
    true: str
    predicted: str
    confidence: float
    """Probability of the wrong class, 0 ... 1."""
    truth: float
    """Probability of the right class, 0 ... 1."""
    image: str
    """PNG as a data URI, one pixel a pixel, or smaller where it would be large."""


def confusion_matrix(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts, int64 (classes, classes): row the true class, column the predicted one."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix."""

    count: int
    strength: float
    """Opacity of its colour, 0 ... 1: grows with the share of the true class's samples."""
    right: bool
    hint: str


def matrix_cells(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[list[Cell]]:
    """The matrix as it is drawn; a single mistake is visible however large its class."""
    totals = np.maximum(matrix.sum(axis=1), 1)
    return [
        [
            Cell(
                count=int(count),
                strength=round(max(0.15 + 0.55 * count / totals[row], 0 if row == column else 0.35), 2) if count else 0,
                right=row == column,
                hint=f"{classes[row]} classified as {classes[column]}: {count}",
            )
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(matrix)
    ]


def recalls(matrix: NDArray[np.int64]) -> list[float | None]:
    """Share of each class's samples that are answered rightly, 0 ... 1; ``None`` where there is no sample."""
    totals = matrix.sum(axis=1)
    return [float(matrix[row, row] / total) if total else None for row, total in enumerate(totals)]


def confusions(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[Confusion]:
    """The most frequent confusions, at most ``CONFUSIONS``."""
    found = [
        Confusion(classes[row], classes[column], int(count), float(count / matrix[row].sum()))
        for (row, column), count in np.ndenumerate(matrix)
        if row != column and count
    ]
    return sorted(found, key=lambda item: (-item.count, -item.share, item.true, item.predicted))[:CONFUSIONS]


def mistakes(
    outputs: NDArray[np.int8],
    images: NDArray[np.uint8],
    true: NDArray[np.int64],
    samples: NDArray[np.int64],
    classes: Sequence[str],
    *,
    reads: Classification,
    count: int,
) -> list[Mistake]:
    """The ``count`` mistakes in which the wrong class is the furthest ahead of the right one.

    Args:
        outputs: of the firmware, int8 (N, bytes).
        images: the samples, uint8 (N, H, W, C) with 1 or 3 channels.
        true: labels (N,).
        samples: their indexes in the test split (N,).
        classes: names by label.
        reads: how outputs are read as classes.
        count: how many.
    """
    scores, predicted = reads.scores(outputs), reads.answers(outputs)
    rows = np.arange(len(outputs))
    margin = scores[rows, predicted] - scores[rows, true]
    wrong = np.flatnonzero(predicted != true)
    worst = wrong[np.argsort(-margin[wrong], kind="stable")][:count]
    probability = reads.confidences(outputs[worst])
    return [
        Mistake(
            sample=int(samples[i]),
            true=classes[true[i]],
            predicted=classes[predicted[i]],
            confidence=float(row[predicted[i]]),
            truth=float(row[true[i]]),
            image=png(images[i]),
        )
        for i, row in zip(worst, probability, strict=True)
    ]
