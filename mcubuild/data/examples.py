"""Samples of a data set to be looked at, and listened to."""

import io
import wave
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import BoxLists
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.overview import SIZES, Example, Overview
from mcubuild.data.recordings import centred, heard, read_wav
from mcubuild.data.samples import Recordings, Samples

EXAMPLES = 12
_LONGEST = 10
"""Seconds of a sound that are kept to be played."""


def overview(
    samples: Samples,
    chosen: Mapping[str, NDArray[np.int64]],
    labels: NDArray[np.int64],
    classes: int,
    x: Mapping[str, NDArray[np.uint8]],
    front_end: FrontEnd | None,
    boxes: Mapping[str, BoxLists] | None = None,
) -> Overview:
    """Counts, and a dozen samples of training and test split, of as many classes as there are.

    Args:
        samples: of the data set.
        chosen: indexes (N,) of the samples by split.
        labels: of all samples.
        classes: how many there are.
        x: the samples of each split (N, H, W, C).
        front_end: of recordings.
        boxes: of each split's pictures, where they have boxes instead of labels.

    Raises:
        BuildError: a recording cannot be read.
    """
    if boxes is not None:
        return _boxed(samples, chosen, classes, x, boxes)
    found, shown = list[Example](), list[NDArray[np.uint8]]()
    for split, label, at in pick({split: labels[indexes] for split, indexes in chosen.items()}, classes):
        index = int(chosen[split][at])
        sound = None
        if front_end is not None and isinstance(samples, Recordings):
            sound = _wav(heard(*read_wav(samples.files[index]), front_end), front_end.sample_rate)
        found.append(Example(samples.names[index], split, label, sound))
        shown.append(x[split][at])
    counts = {
        split: tuple(np.bincount(labels[indexes], minlength=classes).tolist()) for split, indexes in chosen.items()
    }
    return Overview(counts, tuple(found), np.stack(shown), samples.pictures or front_end is not None)


def _boxed(
    samples: Samples,
    chosen: Mapping[str, NDArray[np.int64]],
    classes: int,
    x: Mapping[str, NDArray[np.uint8]],
    boxes: Mapping[str, BoxLists],
) -> Overview:
    """Counts of boxes, and a dozen pictures with theirs: each is shown for the rarest class that it has."""
    counts = {split: np.bincount(of.all.classes, minlength=classes) for split, of in boxes.items()}
    order = np.argsort(sum(counts.values()), kind="stable").tolist()
    rank = {label: place for place, label in enumerate(order)}
    rarest = {
        split: np.array([min(one.classes.tolist(), key=rank.__getitem__, default=-1) for one in of], np.int64)
        for split, of in boxes.items()
    }
    there = [label for label in range(classes) if any((rarest[split] == label).any() for split in ("train", "test"))]
    places = {label: place for place, label in enumerate(there)}
    own = {split: np.array([places.get(label, -1) for label in of.tolist()]) for split, of in rarest.items()}
    found, shown = list[Example](), list[NDArray[np.uint8]]()
    for split, place, at in pick(own, len(there)):
        one = boxes[split][at]
        drawn = tuple(
            (label, *corners) for label, corners in zip(one.classes.tolist(), one.corners.tolist(), strict=True)
        )
        name = samples.names[int(chosen[split][at])]
        found.append(Example(name, split, there[place], None, drawn))
        shown.append(x[split][at])
    corners = boxes["train"].all.corners.astype(np.float64)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    sizes = np.bincount(np.searchsorted(SIZES[:-1], areas), minlength=len(SIZES))
    return Overview(
        {split: tuple(of.tolist()) for split, of in counts.items()},
        tuple(found),
        np.stack(shown) if shown else x["train"][:0],
        True,
        {split: int((np.diff(of.offsets) == 0).sum()) for split, of in boxes.items()},
        tuple(sizes.tolist()),
    )


def pick(labels: Mapping[str, Sequence[int] | NDArray[np.int64]], classes: int) -> list[tuple[str, int, int]]:
    """Split, label and place in the split of the samples to show, by label: those of a class in turn of either split.

    Args:
        labels: of each split's samples, ``train`` and ``test`` among them.
        classes: how many there are; of more than a dozen only so many are shown, from the first to the last.
    """
    shown = np.unique(np.linspace(0, classes - 1, min(classes, EXAMPLES)).round().astype(int)).tolist()
    found = list[tuple[str, int, int]]()
    rounds = -(-EXAMPLES // len(shown))
    for turn in range(rounds):
        for number, label in enumerate(shown[: EXAMPLES - turn * len(shown)]):
            first, second = ("train", "test") if (turn + number) % 2 == 0 else ("test", "train")
            for split in (first, second):
                there = np.flatnonzero(np.asarray(labels[split]) == label)
                fresh = [at for at in there[_spread(len(there), turn, rounds)] if (split, label, at) not in found]
                if fresh:
                    found.append((split, label, int(fresh[0])))
                    break
    return sorted(found, key=lambda one: (one[1], one[0] != "train", one[2]))


def _spread(count: int, turn: int, rounds: int) -> list[int]:
    """All of ``count`` places, beginning with one that differs from turn to turn."""
    first = turn * count // rounds
    return [*range(first, count), *range(first)]


def _wav(sound: NDArray[np.float64], rate: int) -> bytes:
    """A WAV file of the middle of a sound (N,), -1 ... 1."""
    kept = centred(sound, min(len(sound), _LONGEST * rate))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(np.round(kept * 32768), -32768, 32767).astype("<i2").tobytes())
    return content.getvalue()
