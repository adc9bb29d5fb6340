"""The prepared data set in files: index.json beside one file a split, so that a stage reads only the splits it may."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import Boxes, BoxLists, packed
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.room import MOST_IN_MEMORY, pieces, room, taken
from mcubuild.data.subject import Subject
from mcubuild.errors import BuildError
from mcubuild.npz import has_array, map_npz, read_npz, write_npz
from mcubuild.spec.outline import Outline

Pixels: TypeAlias = NDArray[np.uint8]
"""Of samples, (N, R, R, C), or (N, R, 1, C) of series."""
Targets: TypeAlias = NDArray[Any]
"""What is known of N samples, as the task has it: labels int64 (N,), boxes as ``boxes.packed``, or labels and
recordings' numbers int64 (N, 2)."""


@dataclass(frozen=True)
class Pictures:
    """How image files became the stored pictures: what a device must agree with."""

    size: tuple[int, int]
    """Width and height that most of the images to train with have, in pixels, turned upright."""
    levels: tuple[float, float] | None
    """Values that became the levels 0 and 255; None where images have 8 bits, which are levels as they are."""
    whole: bool = False
    """Whether images that are no squares were stretched to one; else the square in the middle was taken."""


@dataclass(frozen=True)
class Series:
    """How values became the stored levels: what a device must agree with.

    level = round((value - low) * (255 / (high - low))), at least 0 and at most 255, all in 32-bit floats, half to even.
    """

    channels: tuple[str, ...]
    """Names, in order."""
    low: tuple[float, ...]
    """Value of each channel that becomes level 0."""
    high: tuple[float, ...]
    """Value that becomes level 255."""


@dataclass(frozen=True)
class Detector:
    """The head of a detector of boxes like these."""

    anchors: tuple[tuple[float, float], ...]
    """Heights and widths, as shares of the picture's."""
    stride: int
    """Pixels of the network's input a cell."""


@dataclass(frozen=True)
class Index:
    """What is known of a data set without its samples."""

    kind: str
    """As in the spec."""
    task: str
    """As in the spec."""
    classes: tuple[str, ...]
    """Names by label."""
    native_resolution: int
    """Side of the stored images, or spectrograms, in pixels; length of stored series."""
    max_resolution: int
    """Largest input side, or length, that a network may take."""
    channels: int
    """1 for grey, 3 for RGB, as many as a series has values at a time."""
    front_end: FrontEnd | None = None
    """Of audio: how sounds became the stored pictures."""
    one_draw: bool = True
    """Whether validation samples were drawn from the training samples, one by one, so that any of both may change
    places: not where the user names either, or groups keep together."""
    subject: Subject | None = "drawings"
    """What the training samples are varied like; None for sounds."""
    mirror: bool = False
    """Whether left and right may change places in training samples."""
    pictures: Pictures | None = None
    """Of image files."""
    series: Series | None = None
    """Of series of values: samples are stored as (length, 1, channels)."""

    detector: Detector | None = None
    """Of boxes."""

    @property
    def outline(self) -> Outline:
        """What networks for the data set depend on."""
        whole = Outline(self.task, len(self.classes), self.channels, self.max_resolution, self.series is not None)
        if self.task == "anomaly_detection":
            return replace(whole, stride=1)
        if self.detector is None:
            return whole
        return replace(whole, anchors=len(self.detector.anchors), stride=self.detector.stride)


def brought(index: Index, anchors: Sequence[tuple[float, float]] | None) -> Index:
    """The ``index`` with the head of a detector from elsewhere, which has these ``anchors``; None: it is none."""
    return replace(index, detector=None if anchors is None else Detector(tuple(anchors), 0))


@dataclass(frozen=True)
class Split:
    """The samples of one split."""

    x: Pixels
    """Pixels (N, H, W, C), 0 ... 255."""
    y: NDArray[np.int64]
    """Labels (N,)."""
    noise: Pixels | None = None
    """Pictures (M, H, W, C) of noise that training may mix into those of sounds; None: there is none."""
    boxes: BoxLists | None = None
    """Of each picture; then labels tell nothing. None: pictures have labels instead."""
    recordings: NDArray[np.int64] | None = None
    """Of windows of recordings that are judged as a whole, to which each belongs (N,); None: they are judged alone."""

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def targets(self) -> Targets:
        """What is known of the samples (N, ...): labels, boxes, or labels and recordings (N, 2)."""
        if self.recordings is not None:
            return np.stack([self.y, self.recordings], axis=1)
        return self.y if self.boxes is None else packed(self.boxes)

    def part(self, chosen: NDArray[np.int64]) -> "Split":
        """A copy of the samples with the indexes ``chosen`` (M,), and the same noise."""
        boxes = None if self.boxes is None else self.boxes.part(chosen)
        recordings = None if self.recordings is None else self.recordings[chosen]
        return Split(taken(self.x, chosen), self.y[chosen], self.noise, boxes, recordings)


def joined(one: Split, other: Split) -> Split:
    """The samples of both, with the noise of ``one``."""
    x = room((len(one) + len(other), *one.x.shape[1:]))
    for start, split in ((0, one), (len(one), other)):
        for piece in pieces(split.x):
            x[start + piece.start : start + piece.stop] = split.x[piece]
    boxes = None
    if one.boxes is not None and other.boxes is not None:
        boxes = BoxLists.of([*one.boxes, *other.boxes])
    return Split(x, np.concatenate([one.y, other.y]), one.noise, boxes)


def write_index(index: Index, path: Path) -> None:
    """Write ``index`` as JSON."""
    path.write_text(json.dumps(asdict(index), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_index(path: Path) -> Index:
    """The index in ``path``.

    Raises:
        BuildError: the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        front_end = content.pop("front_end", None)
        if front_end is not None:
            ranges = {key: tuple(front_end[key]) for key in ("low", "high")}
            front_end = FrontEnd(**{**front_end, **ranges})
        pictures = content.pop("pictures", None)
        if pictures is not None:
            levels = pictures["levels"]
            pictures = Pictures(tuple(pictures["size"]), None if levels is None else tuple(levels), pictures["whole"])
        series = content.pop("series", None)
        if series is not None:
            series = Series(**{key: tuple(values) for key, values in series.items()})
        classes = tuple(content.pop("classes"))
        detector = content.pop("detector", None)
        if detector is not None:
            detector = Detector(**{**detector, "anchors": tuple(map(tuple, detector["anchors"]))})
        return Index(
            **content, classes=classes, front_end=front_end, pictures=pictures, series=series, detector=detector
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(f"{path}: not a data set's index ({error}); delete it and build again.") from None


def write_split(split: Split, path: Path) -> None:
    """Write ``split`` as .npz."""
    noise = np.zeros((0, *split.x.shape[1:]), np.uint8) if split.noise is None else split.noise
    arrays: dict[str, NDArray[Any]] = {"x": split.x, "y": split.y, "noise": noise}
    if split.boxes is not None:
        arrays |= {"offsets": split.boxes.offsets, **vars(split.boxes.all)}
    if split.recordings is not None:
        arrays["recordings"] = split.recordings
    write_npz(path, arrays)


def read_split(path: Path) -> Split:
    """The split in ``path``, whose pixels stay there: they are mapped, and cannot be written.

    The checksum of a file that would not fit into memory is not compared: that is left to the build, which knows it.

    Raises:
        BuildError: the file is missing or damaged.
    """
    arrays = map_npz(path, ("x", "y", "noise"), MOST_IN_MEMORY)
    x, y, noise = arrays["x"], arrays["y"].copy(), arrays["noise"]
    if x.dtype != np.uint8 or x.ndim != 4 or y.dtype != np.int64 or y.shape != x.shape[:1]:
        raise BuildError(
            f"{path}: found x {x.dtype}{x.shape} and y {y.dtype}{y.shape}; a split has x uint8 (N, H, W, C) and "
            f"y int64 (N,); delete the file and build again."
        )
    recordings = read_npz(path, ("recordings",))["recordings"] if has_array(path, "recordings") else None
    return Split(x, y, noise if len(noise) else None, _read_boxes(path, len(y)), recordings)


def _read_boxes(path: Path, pictures: int) -> BoxLists | None:
    """The boxes of so many pictures in a split's file; None where it has none.

    Raises:
        BuildError: the file is damaged.
    """
    names = ("offsets", "corners", "classes", "difficult")
    if not has_array(path, names[0]):
        return None
    offsets, *arrays = read_npz(path, names).values()
    boxes = Boxes(*arrays)
    whole = {len(array) for array in arrays} == {offsets[-1]} and boxes.corners.shape[1:] == (4,)
    if len(offsets) != pictures + 1 or not whole or (np.diff(offsets) < 0).any():
        raise BuildError(f"{path}: its boxes are not those of {pictures} pictures; delete it and build again.")
    return BoxLists(offsets, boxes)
