"""YOLO's label files, a text file a picture: a class and a box, or an outline, a line."""

import numpy as np

from mcubuild.data.annotations import Annotation
from mcubuild.data.damage import DamagedError
from mcubuild.data.files import DAMAGES, File
from mcubuild.errors import shown


def read_yolo(file: File, classes: tuple[str, ...]) -> Annotation:
    """What ``file`` says of its picture: nothing if it is empty.

    A line has the number of a class and, as shares of the picture, a box's centre, width and height, or the points of
    an outline (x, y), of which the box around it is taken, as Ultralytics does.

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
        if len(values) == 4:
            x, y, width, height = values
            corners.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
        elif len(values) >= 6 and len(values) % 2 == 0:
            xs, ys = values[::2], values[1::2]
            corners.append([min(ys), min(xs), max(ys), max(xs)])
        else:
            raise DamagedError(
                file, f"line {number}: found {len(words)} numbers; a class and x, y, width, height make 5"
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
