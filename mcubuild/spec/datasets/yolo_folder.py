"""Pictures of the user with boxes as YOLO has them."""

from typing import Literal

from mcubuild.spec.datasets.base import BoxFolderSettings


class YoloFolderSettings(BoxFolderSettings):
    """Your pictures, with a text file for each that has boxes: from Ultralytics, Roboflow, labelImg, CVAT."""

    kind: Literal["yolo_folder"]
    """Text files lie beside the pictures, or in a folder ``labels`` where they lie in ``images``. Names of classes, and
    splits, are in ``data.yaml``; without it names are in ``classes.txt`` or ``obj.names``, and splits are folders, or
    drawn."""


SETTINGS = YoloFolderSettings
