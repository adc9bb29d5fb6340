"""Pascal VOC's label files, an XML file a picture, as labelImg and CVAT write them, too."""

from xml.etree import ElementTree

import numpy as np

from mcubuild.data.annotations import Annotation
from mcubuild.data.damage import DamagedError
from mcubuild.data.files import DAMAGES, File
from mcubuild.errors import shown

_EDGES = ("ymin", "xmin", "ymax", "xmax")


def read_voc(file: File, first: int) -> Annotation:
    """What ``file`` says of its picture.

    Args:
        file: XML with an ``annotation``, its ``size`` and ``object`` elements.
        first: the left and upper pixels' number. Pascal VOC counts pixels from 1, and a box has its last ones, too;
            the tools write where edges lie between pixels, from 0 on.

    Raises:
        DamagedError: it is no such file, or a box is not whole.
    """
    try:
        with file.open() as content:
            root = ElementTree.fromstring(content.read())
    except (*DAMAGES, ElementTree.ParseError, ValueError, LookupError) as error:
        raise DamagedError(file, f"cannot be read as XML ({' '.join(str(error).split())[:200]})") from None
    if root.tag != "annotation":
        raise DamagedError(file, f"is no annotation of Pascal VOC: found the element {shown(root.tag)}")
    corners, names, difficult = [], [], []
    for element in root.iter("object"):
        name = (element.findtext("name") or "").strip()
        if not name:
            raise DamagedError(file, "has an object without a name")
        corners.append([_number(file, element, f"bndbox/{edge}") for edge in _EDGES])
        names.append(name)
        difficult.append((element.findtext("difficult") or "").strip().lower() in ("1", "true"))
    size = root.find("size")
    width, height = (0.0, 0.0) if size is None else (_number(file, size, side) for side in ("width", "height"))
    found = np.array(corners, np.float64).reshape(-1, 4) - np.array([first, first, 0, 0])
    known = min(width, height) >= 1
    return Annotation(
        found, tuple(names), np.array(difficult, np.bool_), (int(width), int(height)) if known else (0, 0)
    )


def _number(file: File, element: ElementTree.Element, path: str) -> float:
    """The number in the element below ``element`` with this path."""
    text = element.findtext(path)
    try:
        value = float(text or "")
    except ValueError:
        value = np.inf
    if not abs(value) < 1e9:  # infinite, or no number
        raise DamagedError(file, f"has {'no' if text is None else shown(text) + ' for'} {path}; it must be a number")
    return value
