"""Visual Wake Words: COCO's images, with or without a person (or anything else that COCO marks)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.places import place
from mcubuild.data.sources import files_below

if TYPE_CHECKING:
    from mcubuild.data.coco import Instances
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.visual_wake_words import VisualWakeWordsSettings

_PARTS = ("train", "val")
"""Of COCO."""


@dataclass(frozen=True)
class _Part:
    """Where one of COCO's parts is; None where it is not there."""

    name: str
    images: Path | None
    """A folder or a zip archive."""
    annotations: Path | None
    """A JSON file, or a zip archive with it."""
    member: str
    """The name of the JSON file in such an archive."""

    @property
    def lacking(self) -> Iterator[str]:
        """The archives that are not there."""
        if self.images is None:
            yield f"{self.name}.zip"
        if self.annotations is None:
            yield f"annotations_trainval{self.name[-4:]}.zip"


def _parts(year: int, folder: Path) -> list[_Part]:
    found = []
    for part in _PARTS:
        name = f"{part}{year}"
        member = f"annotations/instances_{name}.json"
        images = next((path for path in (folder / name, folder / f"{name}.zip") if path.exists()), None)
        places = (folder / member, folder / Path(member).name, folder / f"annotations_trainval{year}.zip")
        found.append(_Part(name, images, next((path for path in places if path.is_file()), None), member))
    return found


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    folder = place("visual_wake_words", settings["path"], root)
    found: dict[str, Path] = {}
    for part in _parts(settings["year"], folder):
        if part.annotations is not None:
            found[part.annotations.relative_to(folder).as_posix()] = part.annotations
        if part.images is not None and part.images.is_dir():
            found |= {f"{part.name}/{name}": path for name, path in files_below(part.images).items()}
        elif part.images is not None:
            found[part.images.name] = part.images
    if settings["minival"] is not None and (ids := root / settings["minival"]).is_file():
        found["minival"] = ids
    return found


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    folder = place("visual_wake_words", settings["path"], root)
    return list(dict.fromkeys(name for part in _parts(settings["year"], folder) for name in part.lacking))


def _ids(path: Path) -> set[int]:
    """The numbers in a file, one a line.

    Raises:
        BuildError: it has something else, or nothing.
    """
    from mcubuild.errors import BuildError, reading, shown

    found = set[int]()
    with reading(path, "a list of ids"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if (word := line.strip()) and not (word.isascii() and word.isdecimal()):
                raise BuildError(f"{path}:{number}: found {shown(word)}; it must have the id of an image in each line.")
            found |= {int(word)} if word else set()
    if not found:
        raise BuildError(f"{path}: has no ids; dataset.minival names a file with an image's id a line.")
    return found


def _find(settings: "VisualWakeWordsSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.coco import images_with, read_instances
    from mcubuild.data.files import PathFile, ZipMember
    from mcubuild.data.labelled import files_of, images_in, refuse_unlisted
    from mcubuild.data.samples import Images
    from mcubuild.errors import BuildError
    from mcubuild.progress import bar

    files: list[File] = []
    labels: list[bool] = []
    splits: list[str | None] = []
    tested = set[int]() if settings.minival is None else _ids(root / settings.minival)
    met = set[int]()
    folder = place(settings.kind, settings.path, root)
    with bar("read annotations", len(_PARTS)) as progress:
        for part in _parts(settings.year, folder):
            assert part.annotations is not None and part.images is not None  # nothing is missing
            archived = part.annotations.suffix == ".zip"
            listing: File = (ZipMember if archived else PathFile)(part.annotations, part.member)
            instances: Instances = read_instances(listing)
            positive = images_with(instances, settings.classes, settings.rule, settings.threshold, listing)
            there = images_in(part.images)
            names = {image.file_name for image in instances.images}
            files += files_of([image.file_name for image in instances.images], there, str(listing), str(part.images))
            refuse_unlisted(names, there, str(listing), str(part.images))
            ids = [image.id for image in instances.images]
            official = set(ids) if part.name.startswith("val") else set[int]()
            labels += [one in positive for one in ids]
            splits += ["test" if one in (tested or official) else None for one in ids]
            met.update(ids)
            progress.advance()
    if strange := sorted(tested - met):
        raise BuildError(
            f"dataset.minival: {len(strange)} of its {len(tested)} ids, {strange[0]} among them, are of no image of "
            f"COCO {settings.year}; is this the list that belongs to it?"
        )
    what = " or ".join(settings.classes)
    return Found(
        (f"no {what}", what),
        np.array(labels, np.int64),
        Images(files, settings, colour=True),
        splits,
        None,
        {"val": settings.held_out(splits.count(None))},
    )


KIND = Kind("images", _sources, _find, _lacking, foretold=True)
