"""Answers of a detector: its boxes, by class, score and corners in percent of the picture."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import unpacked
from mcubuild.tasks.detection.reading import Detection
from mcubuild.tasks.reading import Outputs


def said(reads: Detection, outputs: Outputs, names: Sequence[str]) -> list[str]:
    """See ``Answers``."""
    return [
        _listed(
            f"{names[label]} ({score:.0%}) {_place(corners)}"
            for corners, label, score in zip(found.corners, found.classes, found.scores, strict=True)
        )
        for found in reads.detections(outputs)
    ]


def wanted(target: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """See ``Answers``."""
    [boxes] = unpacked(np.array([target], np.float32))
    return _listed(
        f"{names[label]} {_place(corners)}" for corners, label in zip(boxes.corners, boxes.classes, strict=True)
    )


def _listed(boxes: Iterable[str]) -> str:
    return "; ".join(boxes) or "nothing"


def _place(corners: NDArray[np.float32]) -> str:
    """Left, top, right and bottom."""
    top, left, bottom, right = (round(100 * float(corner)) for corner in corners)
    return f"{left},{top}-{right},{bottom} %"
