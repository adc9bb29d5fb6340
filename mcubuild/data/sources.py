"""Which files a data set consists of.

Asked while the task graph is built, so this module scans folders and imports nothing heavy.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcubuild.errors import BuildError

IMAGE_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png")
"""Files of an ``image_folder``, in either case."""
SPLITS: Final = ("train", "val", "test")

_LITTER: Final = ("Thumbs.db", "desktop.ini")
"""Files that file managers leave behind; names with a leading dot are skipped too."""


@dataclass(frozen=True)
class ImageFolder:
    """The images of a data set by split and class."""

    classes: tuple[str, ...]
    """Sorted names; a sample's label is the index of its class."""
    images: dict[str, list[list[Path]]]
    """Sorted paths of each class, by split: ``{"all": ...}``, or those of train, val and test that are given."""


def source_files(kind: str, path: str | None, root: Path) -> list[Path]:
    """Every file that the data set is made from, in a fixed order; none for ``digits``, which scikit-learn ships.

    Args:
        kind: of the spec's dataset section.
        path: of the spec's dataset section.
        root: folder that ``path`` is relative to.

    A missing folder has no files: what is wrong with it is told when the data set is prepared.
    """
    if kind == "digits" or path is None:
        return []
    folder = root / path
    return [Path(file) for file in _files(folder)] if folder.is_dir() else []


def scan_image_folder(folder: Path) -> ImageFolder:
    """The layout of ``folder``: ``<class>/*``, or ``train/<class>/*`` with ``val`` and ``test`` beside it if given.

    Raises:
        BuildError: no such folder, no classes, a class without images, a file that is no image, or splits whose
            classes differ.
    """
    if not folder.is_dir():
        raise BuildError(f"{folder}: no such folder; dataset.path names the folder with one folder of images a class.")
    names = _folders(folder)
    if "train" in names and set(names) <= set(SPLITS):
        splits: dict[str, Path] = {split: folder / split for split in SPLITS if split in names}
    else:
        splits = {"all": folder}
    classes: list[str] = []
    images: dict[str, list[list[Path]]] = {}
    for split, path in splits.items():
        found = _folders(path)
        if len(found) < 2:
            raise BuildError(
                f"{path}: found {len(found)} folders{' (' + found[0] + ')' if found else ''}; "
                f"at least two classes are needed, each a folder of images."
            )
        if classes and found != classes:
            odd = sorted(set(found) ^ set(classes))[0]
            raise BuildError(
                f"{path}: the class {odd!r} is in one of {', '.join(splits)} and not in another; "
                f"every split must have the same classes."
            )
        classes = found
        images[split] = [_images(path / name) for name in classes]
    return ImageFolder(tuple(classes), images)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        wanted = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _LITTER]
    return sorted(wanted, key=lambda entry: entry.name)


def _files(folder: Path | str) -> Iterator[str]:
    """Paths of all files under ``folder``: as strings, because there may be very many."""
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        else:
            yield entry.path


def _folders(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if entry.is_dir()]


def _images(folder: Path) -> list[Path]:
    paths = [Path(entry.path) for entry in _entries(folder)]
    for path in paths:
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise BuildError(
                f"{path}: not an image that can be read; allowed here: {', '.join(IMAGE_SUFFIXES)}; "
                f"convert it or move it elsewhere."
            )
    if not paths:
        raise BuildError(f"{folder}: found no images; add some, or remove the folder if it is no class.")
    return paths
