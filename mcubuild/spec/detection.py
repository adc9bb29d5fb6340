"""[detection]: the head of detectors, and what the device makes of its output."""

from typing import Literal

from pydantic import Field

from mcubuild.quantities import Share
from mcubuild.settings import Settings


class DetectionSettings(Settings):
    """YOLOv2's head (arXiv 1612.08242) on a searched or published network, without its classifier."""

    anchors: int = Field(default=5, ge=1, le=16)
    """Sizes of boxes from which each cell starts: found by k-means on the boxes to train with. A network of
    ``[model]`` has its own, which ``model.anchors`` says."""
    stride: Literal[16, 32] = 32
    """Pixels of the network's input a cell, along each side: 16 for small and crowded objects, four times the cells. A
    network of ``[model]`` has its own."""
    threshold: Share = 0.05
    """Score of a box at least, on the device. Low, so that the report shows what any other one would give."""
    overlap: Share = 0.45
    """Intersection over union of two boxes of a class at most: of others the device drops the one of the lower
    score."""
    max_boxes: int = Field(default=50, ge=1, le=1000)
    """Boxes that the device finds in a picture at most: those of the highest scores. Each takes 12 bytes of RAM."""
