"""Which classes the firmware confuses, and the samples it is most wrong about."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.classification import Classification
from mcubuild.report.interval import wilson
from mcubuild.report.plot import Axis, Curve, Dot, Label, Plot, linear

MATRIX_CLASSES = 20
"""Above that a matrix is unreadable, and only the most frequent confusions are listed."""
CONFUSIONS = 10
LARGEST_PICTURE = 160
"""Pixels of an embedded sample's longer side."""


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
            image=_png(images[i]),
        )
        for i, row in zip(worst, probability, strict=True)
    ]


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    if (
        image.shape[1] == 1 < image.shape[0]
    ):  # a series: time to the right, a band a channel, light where values are large
        band = max(1, LARGEST_PICTURE // 4 // image.shape[2])
        image = np.repeat(image[:, 0].T, band, axis=0)[..., np.newaxis]
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def accuracy_plot(steps: Sequence[tuple[str, float, int]]) -> Plot:
    """From float to device: (title, accuracy 0 ... 1, samples) of each step with its 95 % interval."""
    rows = [(title, 100 * share, [100 * end for end in wilson(share, samples)]) for title, share, samples in steps]
    count = len(rows)
    curves, dots, labels = [], [], []
    for number, (title, share, (low, high)) in enumerate(rows):
        y = count - number - 0.5
        curves.append(Curve(((low, y), (high, y)), "int8"))
        dots.append(Dot(share, y, "int8", f"{title}: {share:.2f} %, 95 % interval {low:.1f} to {high:.1f} %", 6))
        labels.append(Label(share, y, f"{share:.2f} %"))
    return Plot(
        name="Accuracy from floating point to the device",
        x=linear([end for row in rows for end in row[2]], "test accuracy, %", "{:g}".format, most=100),
        y=Axis(0, count, "", tuple((count - n - 0.5, row[0]) for n, row in enumerate(rows))),
        curves=curves,
        dots=dots,
        labels=labels,
        height=52 * count,
    )
