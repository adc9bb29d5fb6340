"""Object detection: boxes around what is in a picture, by YOLOv2's head (Redmon and Farhadi, arXiv 1612.08242)."""

from typing import Final

from mcubuild.tasks import Metric

OVERLAP: Final = 0.5
"""Of a box that was found with the true one, at least: Pascal VOC's."""
MEAN_AP: Final = Metric(
    "mAP@0.5",
    "mean over the classes of the area under the curve of precision and recall, as Pascal VOC has it since 2010, for "
    "boxes that overlap by a half",
    "bootstrap over pictures",
    hits="boxes in training that their anchors find",
    counted=False,
)
