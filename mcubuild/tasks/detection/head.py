"""The head of detectors for a data set: where its cells start from."""

from mcubuild.data.boxes import BoxLists
from mcubuild.data.splits import Detector
from mcubuild.tasks.detection.anchors import anchors


def detector(boxes: BoxLists, count: int, stride: int, seed: int) -> Detector:
    """A head with ``count`` anchors for boxes to train with.

    Raises:
        BuildError: fewer boxes differ in size.
    """
    found = anchors(boxes.all.corners, count, seed)
    return Detector(tuple((float(height), float(width)) for height, width in found), stride)
