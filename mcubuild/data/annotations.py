"""What label files say of pictures, and what becomes of it: boxes of the pictures as they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import Boxes, turned
from mcubuild.data.checks import Findings

_TOLERANCE = 1.0
"""Pixels that a box may reach beyond its picture: tools round."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """What is said of one picture; arrays have an entry for each box."""

    corners: NDArray[np.float64]
    """(N, 4): top, left, bottom, right, in pixels of ``size`` or, without one, as shares of the picture."""
    names: tuple[str, ...]
    """Of their classes (N,)."""
    difficult: NDArray[np.bool_]
    """(N,)."""
    size: tuple[int, int] | None
    """Width and height that the picture is said to have; (0, 0): corners are in pixels of the picture that is there."""

    @classmethod
    def none(cls) -> "Annotation":
        """Of a picture with nothing in it."""
        return cls(np.zeros((0, 4)), (), np.zeros(0, np.bool_), None)


class Reader:
    """Makes boxes of annotations, and counts what is odd about them."""

    def __init__(self, classes: Sequence[str]) -> None:
        """``classes`` are their names by label."""
        self._labels: Mapping[str, int] = {name: label for label, name in enumerate(classes)}
        self._pictures, self._boxes = Findings(), Findings()
        self._count = [0, 0]

    def boxes(self, annotation: Annotation, name: str, frame: tuple[int, int, int]) -> Boxes:
        """Those in a picture that has been turned upright.

        Tools that show pictures upright (labelImg, CVAT, all that read with OpenCV) write boxes of upright pictures. A
        size that fits only the file's rows and columns as they are stored says that boxes are those of the stored ones.

        Args:
            annotation: what is said of it.
            name: what messages call the picture.
            frame: width and height as stored in the file, and the EXIF value of the orientation.
        """
        width, height, orientation = frame
        stored = (width, height)
        upright = (height, width) if orientation >= 5 else stored
        said = upright if annotation.size == (0, 0) else annotation.size
        lying = said == stored and said != upright
        self._count[0] += 1
        self._count[1] += len(annotation.names)
        if said is not None and said not in (stored, upright):
            self._pictures.add("Label files give another size than their picture has: boxes were scaled", name)
        if orientation != 1 and said in (None, upright) and len(annotation.names):
            self._pictures.add("Pictures lie by their EXIF data: boxes were taken as those of upright ones", name)
        scale = np.array((said or (1, 1))[::-1] * 2, np.float64)
        pixels = np.array((stored if lying else upright)[::-1] * 2)
        corners = annotation.corners / scale
        beyond = np.maximum(-corners, corners - 1) * pixels
        inside = np.clip(corners, 0, 1).astype(np.float32)
        labels = np.array([self._labels.get(one, -1) for one in annotation.names], np.int64)
        flat = ~(inside[:, 2:] > inside[:, :2]).all(axis=1)  # NaN is not more
        outside = (beyond > _TOLERANCE).any(axis=1)
        for what, odd in (
            ("Boxes of classes that dataset.classes or the list of classes does not have were left out", labels < 0),
            ("Boxes without an area in their picture were left out", flat & (labels >= 0)),
            ("Boxes that reach beyond their picture were cut", outside & ~flat & (labels >= 0)),
        ):
            for number in np.flatnonzero(odd).tolist():
                self._boxes.add(what, f"{name}: {annotation.names[number]}")
        boxes = Boxes(inside, labels, annotation.difficult)
        kept = boxes.part(~flat & (labels >= 0))
        return turned(kept, orientation) if lying else kept

    def cautions(self) -> tuple[str, ...]:
        """A sentence for everything that was odd."""
        return (*self._pictures.cautions(self._count[0]), *self._boxes.cautions(self._count[1]))
