"""The ROC curve of scores of normal and anomalous recordings, its area, and how far to trust that.

Sources: Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic (ROC) curve
(Radiology 143, 1982); for the interval Newcombe, Confidence intervals for an effect size measure based on the
Mann-Whitney statistic (Statistics in Medicine 25, 2006), who compares it with others: it holds near 1, too.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""(N,): how anomalous recordings are, in any unit."""


def of_recordings(errors: Scores, targets: NDArray[np.int64]) -> tuple[Scores, NDArray[np.int64]]:
    """Mean errors and labels (recordings,) of windows with ``errors`` (N,) and ``targets`` (N, 2): label, recording."""
    _, first, recording = np.unique(targets[:, 1], return_index=True, return_inverse=True)
    sums = np.bincount(recording, errors)
    return sums / np.bincount(recording), targets[first, 0].astype(np.int64)


def area(scores: Scores, labels: NDArray[np.int64]) -> float | None:
    """Share of the pairs in which an anomalous recording (label 1) has the higher score; half of those with equal ones.

    None where there are no pairs.
    """
    normal, anomalous = np.sort(scores[labels == 0]), scores[labels == 1]
    if not len(normal) or not len(anomalous):
        return None
    below, up_to = (np.searchsorted(normal, anomalous, side) for side in ("left", "right"))
    return float((below + up_to).sum() / (2 * len(normal) * len(anomalous)))


def curve(scores: Scores, labels: NDArray[np.int64]) -> tuple[Scores, Scores]:
    """Shares of the normal and of the anomalous recordings that lie above each threshold, from none to all."""
    thresholds = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    false, found = (
        np.array([(scores[labels == label] >= one).mean() for one in thresholds.tolist()]) for label in (0, 1)
    )
    return false, found


def interval(area: float, normal: int, anomalous: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of an ``area`` seen in so many recordings: all areas that are no more than ``z`` of their own
    standard deviations away.
    """

    def strays(true: float) -> bool:
        spread = true * (1 - true) / (normal * anomalous)
        spread *= 1 + (anomalous - 1) * (1 - true) / (2 - true) + (normal - 1) * true / (1 + true)
        return abs(area - true) > z * sqrt(spread)

    ends = []
    for outer in (0.0, 1.0):
        out, inside = outer, area
        for _ in range(50):
            middle = (out + inside) / 2
            out, inside = (middle, inside) if strays(middle) else (out, middle)
        ends.append(inside)
    return ends[0], ends[1]


def explained(errors: float, spread: float) -> float:
    """Share of the ``spread`` of values (a sum of squares) that ``errors`` leave: 1 without any, at least 0."""
    return max(0.0, 1 - errors / spread) if spread else 0.0
