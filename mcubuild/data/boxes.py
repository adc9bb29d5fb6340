"""Boxes around the objects in pictures, as arrays: of one picture, and of many."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes in one picture; arrays have an entry for each."""

    corners: NDArray[np.float32]
    """(N, 4): top, left, bottom, right, as shares 0 ... 1 of the picture's height and width."""
    classes: NDArray[np.int64]
    """Labels (N,)."""
    difficult: NDArray[np.bool_]
    """(N,): those that no detector is asked for, nor blamed for: Pascal VOC marks them, COCO its crowds."""

    @classmethod
    def none(cls) -> "Boxes":
        """Those of a picture with nothing in it."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))

    def __len__(self) -> int:
        return len(self.corners)

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Boxes":
        """Those of a mask (N,), or with such indexes (M,)."""
        return Boxes(self.corners[chosen], self.classes[chosen], self.difficult[chosen])


def turned(boxes: Boxes, orientation: int) -> Boxes:
    """Those of a picture that stood as the EXIF value ``orientation`` (1 ... 8) says, when it is turned upright."""
    top, left, bottom, right = boxes.corners.T
    if orientation >= 5:  # rows and columns are swapped first
        top, left, bottom, right = left, top, right, bottom
    if orientation in (2, 3, 6, 7):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 7, 8):
        top, bottom = 1 - bottom, 1 - top
    return replace(boxes, corners=np.stack([top, left, bottom, right], axis=1))


@dataclass(frozen=True, eq=False)
class BoxLists:
    """The boxes of many pictures, one picture behind the other."""

    offsets: NDArray[np.int64]
    """(pictures + 1,): where each picture's boxes begin in ``all``, and where the last ones end."""
    all: Boxes

    @classmethod
    def of(cls, pictures: Sequence[Boxes]) -> "BoxLists":
        """Those of the ``pictures``."""
        offsets = np.cumsum([0, *map(len, pictures)], dtype=np.int64)
        parts = [*pictures, Boxes.none()]
        return cls(
            offsets,
            Boxes(
                np.concatenate([part.corners for part in parts]),
                np.concatenate([part.classes for part in parts]),
                np.concatenate([part.difficult for part in parts]),
            ),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, picture: int) -> Boxes:
        """Those of the picture with this index."""
        return self.all.part(np.arange(self.offsets[picture], self.offsets[picture + 1]))

    def __iter__(self) -> Iterator[Boxes]:
        return (self[picture] for picture in range(len(self)))

    def part(self, chosen: NDArray[np.int64]) -> "BoxLists":
        """Those of the pictures with the indexes ``chosen`` (M,)."""
        return BoxLists.of([self[picture] for picture in chosen.tolist()])


NOTHING: Final = -1
"""The label of rows that are no boxes, behind those of a picture."""


def packed(lists: BoxLists) -> NDArray[np.float32]:
    """The boxes as one array (pictures, rows, 6): label, top, left, bottom, right, difficult; a row at least."""
    rows = int(np.diff(lists.offsets).max(initial=1))
    y = np.zeros((len(lists), rows, 6), np.float32)
    y[..., 0] = NOTHING
    for row, boxes in zip(y, lists, strict=True):
        row[: len(boxes), 0] = boxes.classes
        row[: len(boxes), 1:5] = boxes.corners
        row[: len(boxes), 5] = boxes.difficult
    return y


def unpacked(y: NDArray[np.float32]) -> BoxLists:
    """What ``packed`` made."""
    found = []
    for rows in y:
        rows = rows[rows[:, 0] != NOTHING]
        found.append(Boxes(rows[:, 1:5].astype(np.float32), rows[:, 0].astype(np.int64), rows[:, 5] != 0))
    return BoxLists.of(found)
