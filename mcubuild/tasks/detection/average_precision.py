"""Average precision as Pascal VOC defines it, a class and in the mean, and how far to trust it.

Source: Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective (IJCV 2015), and the development
kit (VOCevaldet.m). From the surest detection of a class to the least sure, each is compared with the true box in its
picture that it overlaps most. It is right if they overlap by ``least`` or more and no surer one was right about that
box; where the box is difficult, it counts for nothing; else it is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import Boxes, BoxLists
from mcubuild.tasks.detection.boxes import Detections, overlaps

Method = Literal["area", "eleven"]
"""Area under the curve, as since 2010, or the mean of the precisions at eleven recalls, as in 2007."""
RESAMPLES: Final = 500
"""Draws of pictures for an interval."""
_DIFFICULT: Final = -1


@dataclass(frozen=True, eq=False)
class Judged:
    """The detections of one class, from the surest on; those of equal scores in the order of pictures."""

    scores: NDArray[np.float64]
    """(N,)."""
    right: NDArray[np.bool_]
    """(N,)."""
    pictures: NDArray[np.int64]
    """Of each detection, its picture (N,)."""
    positives: NDArray[np.int64]
    """Of each picture, the true boxes of the class that are not difficult (pictures,)."""

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Recall and precision (N,) if nothing less sure than each detection is reported; both without detections
        empty, and recall 0 where there is nothing to be found.
        """
        right = np.cumsum(self.right)
        return right / max(1, int(self.positives.sum())), right / np.arange(1, len(right) + 1)

    def average_precision(self, method: Method, weights: NDArray[np.int64] | None = None) -> float | None:
        """The class's average precision, 0 ... 1; None if there is nothing to be found.

        Args:
            method: how the curve becomes a number.
            weights: of each picture, how often it counts (pictures,); default: once.
        """
        positives = int(self.positives.sum() if weights is None else weights @ self.positives)
        if positives == 0:
            return None
        counts = np.ones(len(self.pictures), np.int64) if weights is None else weights[self.pictures]
        right, seen = np.cumsum(self.right * counts), np.cumsum(counts)
        precision = right / np.maximum(seen, 1)
        # The best precision at this recall or a higher one.
        best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        if method == "eleven":
            first = np.searchsorted(10 * right, np.arange(11) * positives)  # in whole numbers, as 3 / 10 < 0.3
            return float(best[first].mean())
        return float((np.diff(right, prepend=0) * best[:-1]).sum() / positives)


@dataclass(frozen=True)
class Precision:
    """Average precision of a detector, 0 ... 1."""

    mean: float
    """Over the classes of which there is something to be found."""
    classes: tuple[float | None, ...]
    """By label; None where there is nothing to be found."""
    interval: tuple[float, float]
    """95 % of the mean, over draws of as many pictures."""


def judge(truth: BoxLists, found: Sequence[Detections], classes: int, least: float = 0.5) -> list[Judged]:
    """What is right of the detections, by class.

    Args:
        truth: the boxes of each picture.
        found: what was detected in each picture.
        classes: how many there are.
        least: overlap of a right detection with its true box.
    """
    if len(truth) != len(found):
        raise ValueError(f"boxes of {len(truth)} pictures, detections in {len(found)}")
    parts: list[list[tuple[NDArray[np.float64], NDArray[np.int64], int]]] = [[] for _ in range(classes)]
    positives = np.zeros((classes, len(truth)), np.int64)
    for picture, (boxes, detections) in enumerate(zip(truth, found, strict=True)):
        np.add.at(positives[:, picture], boxes.classes[~boxes.difficult], 1)
        for label in np.unique(detections.classes).tolist():
            of_class = detections.classes == label
            scores = detections.scores[of_class]
            order = np.argsort(-scores, kind="stable")
            verdicts = _verdicts(boxes.part(boxes.classes == label), detections.corners[of_class][order], least)
            parts[label].append((scores[order], verdicts, picture))
    return [_together(of_class, positives[label]) for label, of_class in enumerate(parts)]


def _verdicts(boxes: Boxes, corners: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """1 for a right detection, 0 for a wrong one, ``_DIFFICULT`` for one of a difficult box (N,).

    Args:
        boxes: the true ones of a picture and a class.
        corners: (N, 4) of the detections, from the surest on.
        least: overlap.
    """
    verdicts = np.zeros(len(corners), np.int64)
    if not len(boxes):
        return verdicts
    common = overlaps(corners, boxes.corners)
    taken = np.zeros(len(boxes), np.bool_)
    for number, box in enumerate(common.argmax(axis=1).tolist()):
        if common[number, box] < least:
            continue
        if boxes.difficult[box]:
            verdicts[number] = _DIFFICULT
        elif not taken[box]:
            taken[box] = True
            verdicts[number] = 1
    return verdicts


def _together(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.int64], int]], positives: NDArray[np.int64]
) -> Judged:
    """The detections of a class in all pictures, without those of difficult boxes."""
    scores = np.concatenate([np.zeros(0), *(part[0] for part in parts)])
    verdicts = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    pictures = np.repeat(
        np.array([part[2] for part in parts], np.int64), np.array([len(part[0]) for part in parts], np.int64)
    )
    order = np.argsort(-scores, kind="stable")
    order = order[verdicts[order] != _DIFFICULT]
    return Judged(scores[order], verdicts[order] == 1, pictures[order], positives)


def average_precision(judged: Sequence[Judged], method: Method = "area", seed: int = 0) -> Precision:
    """The mean average precision, those of the classes, and an interval by the bootstrap over pictures.

    Args:
        judged: the detections by class, as of ``judge``.
        method: how a curve becomes a number.
        seed: of the draws.

    Raises:
        ValueError: there is nothing to be found in any picture.
    """
    classes = tuple(of_class.average_precision(method) for of_class in judged)
    mean = _mean(classes)
    if mean is None:
        raise ValueError("no picture has a box that is not difficult")
    rng = np.random.default_rng(seed)
    pictures = len(judged[0].positives)
    drawn = []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(pictures, size=pictures), minlength=pictures)
        drawn.append(_mean([of_class.average_precision(method, weights) for of_class in judged]))
    low, high = np.quantile([value for value in drawn if value is not None] or [mean], (0.025, 0.975)).tolist()
    return Precision(mean, classes, (low, high))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
