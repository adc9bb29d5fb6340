"""From a spec's data set to index.json, inventory.json, train.npz, val.npz and test.npz."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.checks import check
from mcubuild.data.duplicates import (
    MOST_ACROSS_SPLITS,
    MOST_ALIKE,
    Roll,
    cautions,
    identical,
    nearly_identical,
    refuse_contradictions,
    refuse_copied_classes,
    refuse_leaks,
)
from mcubuild.data.front_end import FrontEnd
from mcubuild.data.images import read_images
from mcubuild.data.inventory import Inventory, short_id, write_inventory
from mcubuild.data.mirroring import survives_mirroring
from mcubuild.data.partition import partition
from mcubuild.data.recordings import read_recordings
from mcubuild.data.sources import scan
from mcubuild.data.splits import Index, Pictures, Split, write_index, write_split
from mcubuild.data.subject import Subject, subject_of
from mcubuild.errors import BuildError
from mcubuild.progress import bar
from mcubuild.spec.dataset import DatasetSettings

_MAX_RESOLUTION = 224
"""Largest input side where the spec gives none: that of ImageNet networks."""
_SMALL = 32
"""Pictures with a smaller side may be enlarged to this one, but not to more than"""
_MAX_ENLARGEMENT = 4
"""times their side: a network that sees more pixels than there are learns nothing more from them, only slower."""


def prepare(settings: DatasetSettings, root: Path, seed: int, out: Path) -> None:
    """Write the data set to the folder ``out``: index.json, inventory.json and one .npz a split.

    Args:
        settings: the spec's dataset section.
        root: folder that ``settings.path`` is relative to.
        seed: of the split; the same seed gives the same bytes.
        out: written to; made if missing.

    Raises:
        BuildError: the data set is missing, unreadable or too small; the message names the file or class.
    """
    found = _digits() if settings.kind == "digits" else _files(settings, root)
    chosen = partition(
        found.contents,
        found.labels,
        found.splits,
        found.groups,
        found.classes,
        settings.val_fraction,
        settings.test_fraction,
        seed,
        most=settings.samples,
        draw=settings.draw,
    )
    order = np.concatenate([*chosen.values()])
    contents = np.array(found.contents)[order]
    roll = Roll(
        [found.names[index] for index in order],
        found.labels[order],
        np.repeat([*chosen], [len(indexes) for indexes in chosen.values()]),
    )
    copies = identical(contents, roll)
    given = {split for split in found.splits if split is not None}
    refuse_contradictions(copies, roll)
    refuse_leaks(copies, roll, given, "identical", MOST_ACROSS_SPLITS)
    pictures, origin, told = _read(found, chosen, settings, root)
    front_end = origin if isinstance(origin, FrontEnd) else None
    similar = nearly_identical([*pictures.values()], roll.labels)
    similar = similar[contents[similar[:, 0]] != contents[similar[:, 1]]]
    alike = np.concatenate([copies, similar])
    refuse_copied_classes(alike, roll, found.classes)
    refuse_leaks(alike, roll, given, "nearly identical", MOST_ALIKE)
    _, side, _, channels = pictures["train"].shape
    subject, mirror = _varied(settings, Split(pictures["train"], found.labels[chosen["train"]]))
    index = Index(
        kind=settings.kind,
        task=settings.task,
        classes=found.classes,
        native_resolution=side,
        max_resolution=settings.max_resolution
        or (
            # A spectrogram has all its detail at its own resolution.
            side if front_end else min(_MAX_RESOLUTION, max(side, min(_SMALL, _MAX_ENLARGEMENT * side)))
        ),
        channels=channels,
        front_end=front_end,
        one_draw=found.groups is None and "val" not in found.splits,
        subject=subject,
        mirror=mirror,
        pictures=origin if isinstance(origin, Pictures) else None,
    )
    inventory = Inventory(
        {name: len(indexes) for name, indexes in chosen.items()},
        cautions=(
            *cautions(copies, roll, "identical"),
            *cautions(similar, roll, "nearly identical"),
            *told,
            *check(
                pictures,
                {name: found.labels[indexes] for name, indexes in chosen.items()},
                found.classes,
                {name: [found.names[index] for index in indexes] for name, indexes in chosen.items()},
                {name: [found.contents[index] for index in indexes] for name, indexes in chosen.items()},
            ),
        ),
        test_ids=tuple(short_id(found.contents[index]) for index in chosen["test"]),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_index(index, out / "index.json")
    write_inventory(inventory, out / "inventory.json")
    for name, indexes in chosen.items():
        write_split(Split(pictures[name], found.labels[indexes]), out / f"{name}.npz")


@dataclass(frozen=True)
class _Found:
    """All samples before they are split; lists have an entry for each."""

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    names: list[str]
    contents: list[str]
    """SHA-256 of the files, or of the pixels of those that come without files, in hexadecimal."""
    splits: list[str | None]
    """None where the split is to be drawn."""
    groups: list[str] | None
    files: list[Path] | NDArray[np.uint8]
    """Or the pictures themselves."""


def _digits() -> _Found:
    """The 1797 handwritten digits, 8x8 pixels with 17 grey levels, of scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels: NDArray[np.float64] = bunch.images
    x = np.round(levels * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    return _Found(
        tuple(str(digit) for digit in range(10)),
        bunch.target.astype(np.int64),
        [f"digit {number}" for number in range(len(x))],
        [hashlib.sha256(picture.tobytes()).hexdigest() for picture in x],
        [None] * len(x),
        None,
        x,
    )


def _files(settings: DatasetSettings, root: Path) -> _Found:
    assert settings.path is not None  # the spec saw to it
    folder = root / settings.path
    samples = scan(folder, settings)
    contents = []
    with bar("hash files", len(samples.paths)) as progress:
        for path in samples.paths:
            contents.append(_digest(path))
            progress.advance()
    return _Found(
        samples.classes,
        np.array(samples.labels, np.int64),
        [path.relative_to(folder).as_posix() for path in samples.paths],
        contents,
        samples.splits,
        samples.groups,
        samples.paths,
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}); replace or remove it.") from None


def _read(
    found: _Found, chosen: Mapping[str, NDArray[np.int64]], settings: DatasetSettings, root: Path
) -> tuple[dict[str, NDArray[np.uint8]], FrontEnd | Pictures | None, tuple[str, ...]]:
    """Pictures (N, side, side, channels) by split, how sounds or image files became these, and cautions."""
    files = found.files
    if not isinstance(files, list):
        return {name: files[indexes] for name, indexes in chosen.items()}, None, ()
    assert settings.path is not None  # the spec saw to it
    folder = root / settings.path
    paths = {name: [files[index] for index in indexes] for name, indexes in chosen.items()}
    if settings.kind == "audio_folder":
        return read_recordings(paths, folder, settings)
    return read_images(paths, folder, settings.max_resolution or _MAX_RESOLUTION)


def _varied(settings: DatasetSettings, train: Split) -> tuple[Subject | None, bool]:
    """What the training samples are varied like, and whether they may be mirrored: the spec's word, or what they show;
    sounds show nothing.
    """
    if settings.kind == "audio_folder":
        return None, False
    subject = settings.subject or subject_of(train.x)
    if settings.mirror is not None:
        return subject, settings.mirror
    return subject, subject == "photos" and survives_mirroring(train.x, train.y)
