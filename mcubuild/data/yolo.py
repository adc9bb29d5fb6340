"""YOLO's label files, a text file a picture: a class and a box, or an outline, a line."""

import numpy as np

from mcubuild.data.annotations import Annotation
from mcubuild.data.damage import DamagedError
from mcubuild.data.files import DAMAGES, File
from mcubuild.errors import shown

_FAR = 2.0
"""Sides of the picture from its corner beyond which numbers can be no shares: they may be pixels."""


def read_yolo(file: File, classes: tuple[str, ...], keypoints: int = 0) -> Annotation:
    """What ``file`` says of its picture: nothing if it is empty.

    A line has the number of a class and, as shares of the picture, a box's centre, width and height, or the points of
    an outline (x, y), of which the box around it is taken, as Ultralytics does. So it is of turned boxes.

    Args:
        file: text.
        classes: names by number.
        keypoints: numbers behind each box, which are left alone.

    Raises:
        DamagedError: a line is something else.
    """
    try:
        with file.open() as content:
            lines = content.read().decode("utf-8-sig").splitlines()
    except DAMAGES as error:
        raise DamagedError(file, f"cannot be read as text ({' '.join(str(error).split())[:200]})") from None
    corners, names = [], []
    for number, line in enumerate(lines, start=1):
        if not (words := line.split()):
            continue
        label, *values = _numbers(file, number, words)
        if not (label.is_integer() and label >= 0):
            raise DamagedError(file, f"line {number}: found {shown(words[0])} as the number of a class")
        if max(map(abs, values), default=0) > _FAR:
            raise DamagedError(file, f"line {number}: found {max(values, key=abs):g}, which is no share of the picture")
        if len(values) == 4 + keypoints:
            x, y, width, height = values[:4]
            corners.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
        elif not keypoints and len(values) >= 6 and len(values) % 2 == 0:
            xs, ys = values[::2], values[1::2]
            corners.append([min(ys), min(xs), max(ys), max(xs)])
        else:
            raise DamagedError(
                file,
                f"line {number}: found {len(words)} numbers; a class and x, y, width, height make {5 + keypoints}"
                f"{' with key points' if keypoints else ', the points of an outline an odd number from 7 on'}",
            )
        names.append(classes[int(label)] if label < len(classes) else f"number {int(label)}")
    found = np.array(corners, np.float64).reshape(-1, 4)
    return Annotation(found, tuple(names), np.zeros(len(names), np.bool_), None)


def _numbers(file: File, line: int, words: list[str]) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = [np.inf]
    if not all(abs(value) < 1e9 for value in values):
        raise DamagedError(file, f"line {line}: found {shown(' '.join(words))}; it must have numbers alone")
    return values
