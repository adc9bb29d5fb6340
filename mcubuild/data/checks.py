"""What is odd about samples: while they are read, and about what reading made of them.

Everything is told as a sentence without the full stop, with counts and the names of three files.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import BoxLists
from mcubuild.errors import printable
from mcubuild.progress import bar

_NAMES = 3
"""Files that a caution names."""
_LONGEST_NAME = 60
"""Characters of a name that are shown, the last ones."""
_FLAT = 2
"""Levels of 255 that a picture may vary by and still show nothing: JPEG gives no surface more exactly."""
_FEW = 20
"""Training samples of a class, below which there is too little to learn from and a percent of accuracy is luck."""
_SHARE = 0.1
"""Of the median class; a smaller class is hardly seen in training."""
_FEW_IN_ALL = 100
"""Training samples of a data set."""
_LOOKED_AT = 1000
"""Training samples that the mean picture is taken from."""
_ALIKE = 3.0
"""Levels of 255, root mean square, that samples may be away from their mean and still be called the same."""
_NARROW = 32
"""Levels of 255 that pictures use at least, or they are told to be dark, bright or pale throughout."""


class Findings:
    """The files of a data set by what is odd about them."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = defaultdict(list)

    def add(self, what: str, name: str) -> None:
        """The file called ``name`` is one of those that the sentence ``what`` is about."""
        self._names[what].append(name)

    def add_many(self, what: str, names: Sequence[str]) -> None:
        """The files with these names are ones that the sentence ``what`` is about."""
        self._names[what] += names

    def add_all(self, others: "Findings") -> None:
        """What ``others`` hold, behind what is here."""
        for what, names in others._names.items():
            self._names[what] += names

    def cautions(self, samples: int) -> tuple[str, ...]:
        """A sentence for everything that was found, in the order of its first file, of so many ``samples`` in all."""
        return tuple(counted(what, names, samples) for what, names in self._names.items())


def counted(what: str, names: Sequence[str], samples: int) -> str:
    """``"what: 4 of 90 (a.png, b.png, c.png, ...)"``."""
    shown = [_shown(name) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        shown.append("...")
    return f"{what}: {len(names)} of {samples} ({', '.join(shown)})"


def _shown(name: str) -> str:
    return printable(name if len(name) <= _LONGEST_NAME else "..." + name[-_LONGEST_NAME:])


def check(
    pictures: Mapping[str, NDArray[np.uint8]],
    labels: Mapping[str, NDArray[np.int64]],
    classes: Sequence[str],
    names: Mapping[str, Sequence[str]],
    contents: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    """What is odd about samples as a network gets them.

    Args:
        pictures: pixels (N, H, W, C) by split, ``train`` among them.
        labels: (N,) by split.
        classes: names by label.
        names: of the samples, by split.
        contents: what tells the samples' files apart, by split: their hashes.
    """
    all_names = [name for split in pictures for name in names[split]]
    all_contents = [content for split in pictures for content in contents[split]]
    flat, marks = np.empty(len(all_names), np.bool_), np.empty(len(all_names), np.uint64)
    with bar("check pictures", len(all_names)) as progress:
        for index, pixels in enumerate(chain.from_iterable(pictures.values())):
            flat[index] = _is_flat(pixels[::8, ::8]) and _is_flat(pixels)
            marks[index] = int.from_bytes(hashlib.blake2b(pixels, digest_size=8).digest())
            progress.advance()
    found = []
    if flat.any():
        blank = [all_names[index] for index in np.flatnonzero(flat).tolist()]
        found.append(counted("Samples that show nothing (of one level: blank, black, silent)", blank, len(all_names)))
    same = [all_names[index] for index in _equal(marks, flat, all_contents)]
    if same:
        found.append(counted("Samples that are equal to another, though their files differ", same, len(all_names)))
    return (*found, *_of_classes(labels, classes), *_of_training(pictures["train"]))


def check_boxes(boxes: Mapping[str, BoxLists], classes: Sequence[str]) -> tuple[str, ...]:
    """What is odd about the boxes of the splits, ``train`` among them.

    Args:
        boxes: of each split's pictures.
        classes: names by label.
    """
    return tuple(_of_classes({split: of.all.classes for split, of in boxes.items()}, classes))


def _is_flat(pixels: NDArray[np.uint8]) -> bool:
    return int(np.ptp(pixels, axis=(0, 1)).max()) <= _FLAT


def _equal(marks: NDArray[np.uint64], flat: NDArray[np.bool_], contents: Sequence[str]) -> list[int]:
    """Indexes of the pictures that others equal: ones with the same mark, 64 bits of a hash, which of a million
    different ones no two have. Copies of one file, and flat pictures, are told elsewhere.
    """
    candidates = np.flatnonzero(~flat)
    _, place, count = np.unique(marks[candidates], return_inverse=True, return_counts=True)
    groups: dict[int, list[int]] = defaultdict(list)
    for index in candidates[count[place] > 1].tolist():
        groups[int(marks[index])].append(index)
    return sorted(
        index for members in groups.values() if len({contents[index] for index in members}) > 1 for index in members
    )


def _of_classes(labels: Mapping[str, NDArray[np.int64]], classes: Sequence[str]) -> list[str]:
    found = []
    counts = np.bincount(labels["train"], minlength=len(classes))
    median = float(np.median(counts))
    small = [
        label for label in np.argsort(counts, kind="stable").tolist() if counts[label] < max(_FEW, _SHARE * median)
    ]
    if small:
        shown = [f"{_shown(classes[label])} {counts[label]}" for label in small[:_NAMES]]
        shown += ["..."][: len(small) > _NAMES]
        found.append(
            f"Classes with few training samples: {len(small)} of {len(classes)} ({', '.join(shown)}; "
            f"the median class has {median:g})"
        )
    if counts.sum() < _FEW_IN_ALL:
        found.append(f"There are {counts.sum()} training samples in all: too few for figures that hold for others")
    for split in ("val", "test"):
        missing = [name for label, name in enumerate(classes) if not (labels[split] == label).any()]
        if missing:
            found.append(counted(f"Classes without a sample in the {split} split", missing, len(classes)))
    return found


def _of_training(pictures: NDArray[np.uint8]) -> list[str]:
    some = pictures[np.linspace(0, len(pictures) - 1, min(_LOOKED_AT, len(pictures))).astype(int)]
    low, high = int(some.min()), int(some.max())
    found = []
    if high - low < _NARROW:
        found.append(f"Training samples use only levels {low} to {high} of 0 to 255")
    mean = some.mean(axis=0, dtype=np.float64)
    away = float(np.sqrt(np.mean([np.square(pixels - mean).mean() for pixels in some])))
    if away < _ALIKE and len(some) > 1:
        found.append(
            f"Training samples are nearly the same: {away:.2g} of 255 levels away from their mean picture (rms)"
        )
    return found
