"""From a spec's data set to index.json, inventory.json, train.npz, val.npz, test.npz, and an overview."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import BoxLists
from mcubuild.data.checks import check, check_boxes, counted
from mcubuild.data.duplicates import (
    MOST_ACROSS_SPLITS,
    MOST_ALIKE,
    MOST_LOOKED_AT,
    Pairs,
    Roll,
    cautions,
    identical,
    nearly_identical,
    refuse_contradictions,
    refuse_copied_classes,
    refuse_leaks,
)
from mcubuild.data.examples import overview
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.inventory import Inventory, short_id, write_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.kinds.base import Found
from mcubuild.data.mirroring import survives_mirroring
from mcubuild.data.overview import write_overview
from mcubuild.data.partition import check_enough, partition
from mcubuild.data.places import missing
from mcubuild.data.splits import Detector, Index, Pictures, Series, Split, write_index, write_split
from mcubuild.data.subject import Subject, subject_of
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.base import DatasetSettings, VariedSettings
from mcubuild.spec.outline import MAX_RESOLUTION

Head: TypeAlias = Callable[[BoxLists], Detector]
"""Of a detector, for boxes to train with."""
_SMALL = 32
"""Pictures with a smaller side may be enlarged to this one, but not to more than"""
_MAX_ENLARGEMENT = 4
"""times their side: a network that sees more pixels than there are learns nothing more from them, only slower."""
_NO_PAIRS: Pairs = np.empty((0, 2), np.int64)


def prepare(
    settings: DatasetSettings, root: Path, seed: int, out: Path, task: str | None = None, head: Head | None = None
) -> None:
    """Write the data set to the folder ``out``: index.json, inventory.json, one .npz a split, and an overview.

    Args:
        settings: the spec's dataset section.
        root: folder that ``settings.path`` is relative to.
        seed: of the split; the same seed gives the same bytes.
        out: written to; made if missing.
        head: makes the head of a detector for the boxes to train with, where there are such.
        task: what the spec says that the samples are for; None: whatever they are for.

    Raises:
        BuildError: the data set is missing, unreadable or too small; the message names the file or class.
    """
    source = kind(settings.kind)
    values = settings.model_dump(mode="json")
    if lacking := source.lacking(values, root):
        raise BuildError(missing(settings.kind, values.get("path"), root, lacking))
    found = source.find(settings, root)
    names, digests = found.samples.names, found.samples.contents()
    strata = found.strata or found.classes
    chosen = partition(
        digests,
        found.labels,
        found.splits,
        found.groups,
        strata,
        found.held_out,
        seed,
        most=settings.samples,
        draw=settings.draw,
    )
    given = {split for split in found.splits if split is not None}
    _, roll, copies = _called(found, chosen, names, digests)
    refuse_contradictions(copies, roll)
    refuse_leaks(copies, roll, given, "identical", MOST_ACROSS_SPLITS)
    read = found.samples.read(chosen)
    chosen, pictures, origin = read.chosen, read.pictures, read.origin
    check_enough(digests, found.labels, chosen["train"], 0, strata)
    contents, roll, copies = _called(found, chosen, names, digests)
    front_end = origin if isinstance(origin, FrontEnd) else None
    series = origin if isinstance(origin, Series) else None
    shown = "sensor_classification" if series and "sensor_classification" in settings.tasks else settings.tasks[0]
    if task not in (None, shown):
        what = "windows of values" if series else "images"
        raise BuildError(f'task: found "{task}", but the samples of this data set are {what}: task = "{shown}".')
    # Windows overlap by design, and a sensor at rest always writes the same.
    similar = _NO_PAIRS if series else nearly_identical([*pictures.values()], roll.labels)
    differ = [contents[one] != contents[other] for one, other in similar.tolist()]
    similar = similar[np.array(differ, np.bool_)]
    alike = np.concatenate([copies, similar])
    refuse_copied_classes(alike, roll, strata)
    refuse_leaks(alike, roll, given, "nearly identical", MOST_ALIKE)
    _, side, _, channels = pictures["train"].shape
    subject: Subject | None = None
    mirror = False
    if found.samples.pictures:
        boxes = None if read.boxes is None else read.boxes["train"]
        subject, mirror = _varied(settings, Split(pictures["train"], found.labels[chosen["train"]], boxes=boxes))
    outline, largest = settings.outline(), settings.max_resolution
    if outline is not None:
        largest = outline.max_resolution
    elif largest is None:
        # A spectrogram has all its detail at its own resolution.
        largest = side if front_end or series else min(MAX_RESOLUTION, max(side, min(_SMALL, _MAX_ENLARGEMENT * side)))
    index = Index(
        kind=settings.kind,
        task=shown,
        classes=found.classes,
        native_resolution=side,
        max_resolution=largest,
        channels=channels,
        front_end=front_end,
        one_draw=found.groups is None and "val" not in found.splits,
        subject=subject,
        mirror=mirror,
        pictures=origin if isinstance(origin, Pictures) else None,
        series=series,
        detector=None if head is None or read.boxes is None else head(read.boxes["train"]),
    )
    plain = replace(index.outline, anchors=0, stride=0)  # of which the data tells nothing
    assert outline in (None, plain), f"{settings.kind}: foretold {outline}, found {index.outline}"
    inventory = Inventory(
        {name: len(indexes) for name, indexes in chosen.items()},
        cautions=(
            *cautions(copies, roll, "identical"),
            *cautions(similar, roll, "nearly identical"),
            *_partly(len(roll.names)),
            *found.cautions,
            *_alike(found.classes),
            *read.cautions,
            *(() if series else _enlarged(side, largest)),
            *check(
                pictures,
                {name: found.labels[indexes] for name, indexes in chosen.items()},
                strata,
                {name: [names[index] for index in indexes] for name, indexes in chosen.items()},
                {name: [digests[index] for index in indexes] for name, indexes in chosen.items()},
            ),
            *(() if read.boxes is None else check_boxes(read.boxes, found.classes)),
        ),
        test_ids=tuple(short_id(digests[index]) for index in chosen["test"]),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_index(index, out / "index.json")
    write_inventory(inventory, out / "inventory.json")
    samples = overview(found.samples, chosen, found.labels, len(found.classes), pictures, front_end, read.boxes)
    write_overview(samples, out)
    for name, indexes in chosen.items():
        noise = read.noise if name == "train" else None
        boxes = None if read.boxes is None else read.boxes[name]
        recordings = None
        if shown == "anomaly_detection" and found.groups is not None:
            recordings = np.unique([found.groups[index] for index in indexes.tolist()], return_inverse=True)[1]
        write_split(Split(pictures[name], found.labels[indexes], noise, boxes, recordings), out / f"{name}.npz")


def _called(
    found: Found, chosen: Mapping[str, NDArray[np.int64]], names: Sequence[str], digests: Sequence[str]
) -> tuple[list[str], Roll, Pairs]:
    """Contents and roll of the samples in ``chosen``, one split behind the other, and which of them are identical."""
    order = np.concatenate([*chosen.values()])
    contents = [digests[index] for index in order.tolist()]
    splits = np.repeat([*chosen], [len(indexes) for indexes in chosen.values()])
    roll = Roll([names[index] for index in order], found.labels[order], splits)
    return contents, roll, identical(contents, roll)


def _partly(samples: int) -> tuple[str, ...]:
    """A caution where nearly identical ones were looked for among a part of so many ``samples``."""
    if samples <= MOST_LOOKED_AT:
        return ()
    return (f"Nearly identical samples were looked for among {MOST_LOOKED_AT} of {samples}",)


def _alike(classes: Sequence[str]) -> tuple[str, ...]:
    """A caution where two names are written differently and may mean one class."""
    meant: dict[str, list[str]] = {}
    for name in dict.fromkeys(classes):
        meant.setdefault(_meaning(name), []).append(name)
    same = [name for names in meant.values() if len(names) > 1 for name in names]
    if not same:
        return ()
    what = "Classes whose names differ only in how they are written (capitals, spaces, accents, 1 and 1.0)"
    return (counted(what, same, len(classes)),)


def _meaning(name: str) -> str:
    """A name without what people write either way; of a number, what it is."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    try:
        return repr(float("" if "_" in plain else plain))  # Python takes 1_1 for 11
    except ValueError:
        return re.sub(r"[\s_-]+", " ", plain).strip()


def _enlarged(side: int, largest: int) -> tuple[str, ...]:
    """A caution where networks may take images that are much larger than those that there are."""
    if largest < 2 * side or side < _SMALL:
        return ()
    return (f"Networks may take {largest}x{largest} pixels, images have {side}x{side}: see dataset.max_resolution",)


def _varied(settings: DatasetSettings, train: Split) -> tuple[Subject, bool]:
    """What training pictures are varied like, and whether they may be mirrored: the spec's word, or what they show."""
    said = settings if isinstance(settings, VariedSettings) else None
    subject = (said and said.subject) or subject_of(train.x)
    if said and said.mirror is not None:
        return subject, said.mirror
    return subject, subject == "photos" and (train.boxes is not None or survives_mirroring(train.x, train.y))
