"""Wake Vision: images of Open Images, with or without a person."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind, always
from mcubuild.data.places import place
from mcubuild.data.sources import entries, files_below

if TYPE_CHECKING:
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.wake_vision import WakeVisionSettings

_CLASSES = ("no person", "person")
_ARCHIVES = (".tar", ".zip")
_IMAGES = (*(f"train_{number:02}.tar" for number in range(90)), "validation.tar", "test.tar")
"""What is published, unpacked once."""


_HELD = {"val": "validation", "test": "test"}
"""Splits, and what their lists are called."""


def _listings(labels: str, folder: Path) -> dict[str, Path]:
    """The lists by split; that of ``quality`` has another name where it was published first."""
    train = folder / f"wake_vision_train_{labels}.csv"
    if labels == "quality" and not train.is_file() and (first := folder / "wake_vision_train_bbox.csv").is_file():
        train = first
    return {"train": train, **{split: folder / f"wake_vision_{name}.csv" for split, name in _HELD.items()}}


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    folder = place("wake_vision", settings["path"], root)
    lists = {*_listings(settings["labels"], folder).values()}
    there = [Path(entry.path) for entry in entries(folder)] if folder.is_dir() else []
    return {path.name: path for path in there if path.suffix != ".csv" or path in lists}


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    folder = place("wake_vision", settings["path"], root)
    lists = [path.name for path in _listings(settings["labels"], folder).values() if not path.is_file()]
    brought = [path for path in folder.glob("[!.]*") if path.is_dir() or path.suffix == ".zip"]
    if brought:  # images in another form than the published one
        return lists
    return [*lists, *(name for name in _IMAGES if not (folder / name).is_file())]


def _find(settings: "WakeVisionSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.labelled import files_of
    from mcubuild.data.samples import Images
    from mcubuild.progress import bar

    folder = place(settings.kind, settings.path, root)
    files: list[File] = []
    labels: list[int] = []
    splits: list[str | None] = []
    there = _images(folder)
    listings = _listings(settings.labels, folder)
    with bar("read labels", len(listings)) as progress:
        for split, path in listings.items():
            listed = _labels(path)
            files += files_of(listed, there, path.name, str(folder))
            labels += listed.values()
            splits += [split] * len(listed)
            progress.advance()
    return Found(_CLASSES, np.array(labels, np.int64), Images(files, settings, colour=True), splits, None, {})


def _images(folder: Path) -> "dict[str, File]":
    """The images in ``folder``, its folders and its archives, by name."""
    from mcubuild.data.labelled import images_in
    from mcubuild.errors import BuildError, shown

    found = images_in(folder)
    for path in files_below(folder).values():
        if path.suffix in (".gz", ".tgz"):
            raise BuildError(
                f"{path}: is compressed, so images could not be read one by one; unpack it: gunzip {path.name}"
            )
        if path.suffix in _ARCHIVES:
            own = images_in(path)
            if twice := found.keys() & own.keys():
                raise BuildError(f"{path}: has {shown(min(twice))}, which is {found[min(twice)]}, too; remove one.")
            found |= own
    return found


def _labels(path: Path) -> dict[str, int]:
    """Whether there is a person, by names of images, as a list says it.

    Raises:
        BuildError: it has no such columns, no image, another value than 0 and 1, or an image twice.
    """
    import csv

    from mcubuild.errors import BuildError, reading, shown

    found = dict[str, int]()
    with reading(path, "CSV"), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"filename", "person"} <= {*(rows.fieldnames or ())}:
            raise BuildError(f"{path}: found the columns {shown(rows.fieldnames)}; it must have filename and person.")
        for number, row in enumerate(rows, start=2):
            if row["person"] not in ("0", "1") or not row["filename"]:
                raise BuildError(
                    f"{path}:{number}: found person = {shown(row['person'])} of {shown(row['filename'])}; allowed are "
                    f"0 and 1: remove the line, or get the file again."
                )
            name = row["filename"].rpartition("/")[2]
            if name in found:
                raise BuildError(f"{path}:{number}: found {shown(name)} a second time; remove one of the lines.")
            found[name] = int(row["person"])
    if not found:
        raise BuildError(f"{path}: lists no images; get it again.")
    return found


KIND = Kind("images", _sources, _find, _lacking, foretold=always)
