"""Pictures and label files brought together: what kinds of data sets with boxes have in common."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from mcubuild.data.annotations import Annotation
from mcubuild.data.checks import Findings
from mcubuild.data.damage import Damage
from mcubuild.data.files import File, PathFile, zipped
from mcubuild.data.kinds.base import Found
from mcubuild.data.kinds.image_folder import CONTENT
from mcubuild.data.samples import AnnotatedImages
from mcubuild.data.sources import SPLITS, assign, fields_of, files_below
from mcubuild.errors import BuildError
from mcubuild.progress import bar
from mcubuild.spec.datasets.base import BoxFolderSettings, BoxSettings
from mcubuild.spec.pattern import compile_pattern

_PLACES = ("annotations", "images", "jpegimages", "labels")
"""Folders that have either pictures or label files, in any case of letters: they count for nothing."""


@dataclass
class Pictures:
    """The pictures of a data set with what is said of them; lists have an entry for each."""

    files: list[File] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    """What is odd about files."""
    damage: Damage = field(default_factory=lambda: Damage("label files"))

    def read(self, pairs: Sequence[tuple[File, File | None, str | None]], read: Callable[[File], Annotation]) -> None:
        """Add pictures with their label files and splits; without a label file, a picture has nothing in it."""
        with bar("read annotations", len(pairs)) as progress:
            for picture, label, split in pairs:
                if label is None:
                    self.add(picture, Annotation.none(), split)
                else:
                    with self.damage.noted(label):
                        self.add(picture, read(label), split)
                progress.advance()

    def add(self, picture: File, annotation: Annotation, split: str | None) -> None:
        """Add a picture."""
        self.files.append(picture)
        self.annotations.append(annotation)
        self.splits.append(split)

    def found(
        self,
        settings: BoxSettings,
        where: str,
        held_out: Mapping[str, float | int],
        listed: Sequence[str] | None = None,
    ) -> Found:
        """All of them as a data set.

        Args:
            settings: the spec's.
            where: what messages call the data set.
            held_out: as of ``Found``.
            listed: all names of classes, in order; default: those of boxes, sorted.

        Raises:
            BuildError: too many label files are damaged, there are no boxes, or none of a class that the spec names.
        """
        count = len(self.files)
        self.damage.refuse_more_than(settings.corrupt, count)
        met = {name for annotation in self.annotations for name in annotation.names}
        known = tuple(sorted(met) if listed is None else listed)
        for name in settings.classes or ():
            if name not in (met if listed is None else known):
                raise BuildError(
                    f"dataset.classes: found {name!r}, of which there is no box in {where}; it has "
                    f"{', '.join(sorted(met)[:20]) or 'none at all'}."
                )
        classes = settings.classes or known
        if not met & set(classes):
            raise BuildError(
                f"{where}: found {count} pictures and no box of {', '.join(classes[:20]) or 'any class'}; label files "
                f"belong beside the pictures, or where the documentation of dataset.kind says."
            )
        empty = [file.name for file, one in zip(self.files, self.annotations, strict=True) if not one.names]
        if empty:
            self.findings.add_many("Pictures without a box, taken as ones with nothing in them", empty)
        return Found(
            classes,
            np.zeros(count, np.int64),
            AnnotatedImages(self.files, self.annotations, classes, settings),
            self.splits,
            self._named(settings, Path(where)) if isinstance(settings, BoxFolderSettings) else None,
            held_out,
            strata=("pictures",),
            cautions=(*self.damage.cautions(count), *self.findings.cautions(count)),
        )

    def _named(self, settings: BoxFolderSettings, folder: Path) -> list[str] | None:
        """Groups of pictures by their names, if there are any; splits by their names are set.

        Raises:
            BuildError: a name does not match the pattern, no picture fits a split, or one is in another already.
        """
        names = [file.name for file in self.files]
        for split, globs in (("val", settings.val), ("test", settings.test)):
            if globs is not None:
                assign(names, self.splits, split, globs, folder)
        if settings.pattern is None or settings.group is None:
            return None
        expression = compile_pattern(settings.pattern, classes=False)
        return [fields_of(name, expression, settings.pattern, folder)[settings.group] for name in names]


def pictures_below(folder: Path, *, zips: bool = False) -> dict[str, File]:
    """The image files in ``folder`` and its folders, with ``zips`` those in zip archives there, too, by their names.

    Raises:
        BuildError: there is no such folder, or no picture in it, or an archive is damaged.
    """
    if not folder.is_dir():
        raise BuildError(f"{folder}: no such folder; dataset.path names the folder with pictures and label files.")
    found = _with_suffix(folder, CONTENT.suffixes, zips)
    if not found:
        raise BuildError(f"{folder}: found no pictures ({', '.join(CONTENT.suffixes)}); is the path right?")
    return found


def labels_below(folder: Path, suffix: str, *, zips: bool = False) -> dict[str, File]:
    """The files with a ``suffix`` there, likewise."""
    return _with_suffix(folder, (suffix,), zips)


def _with_suffix(folder: Path, suffixes: Sequence[str], zips: bool) -> dict[str, File]:
    """By names below ``folder``. Those in archives have the names that unpacking there would give them, or into a
    folder named like the archive where another has the first; what was unpacked, in either place, counts instead.
    """
    paths = files_below(folder)
    found: dict[str, File] = {}
    for path_name, path in paths.items():
        name = PurePosixPath(path_name)
        if name.suffix.lower() in suffixes:
            found[name.as_posix()] = PathFile(path, name.as_posix())
        if zips and name.suffix.lower() == ".zip":
            for member in zipped(path):
                places = [(home / member.name).as_posix() for home in (name.parent, name.with_suffix(""))]
                wanted = PurePosixPath(member.name).suffix.lower() in suffixes
                if wanted and not any(place in paths for place in places):
                    found[places[places[0] in found]] = member
    return found


def key(name: str) -> str:
    """What a picture and its label file have in common: the name without suffix and folders of ``_PLACES``."""
    path = PurePosixPath(name)
    parts = [part for part in path.parent.parts if part.lower() not in _PLACES]
    return "/".join([*parts, path.stem])


def by_key(files: Mapping[str, File]) -> dict[str, File]:
    """The files by what they have in common with those that belong to them.

    Raises:
        BuildError: two have the same.
    """
    found: dict[str, File] = {}
    for name, file in files.items():
        if (other := found.setdefault(key(name), file)) is not file:
            raise BuildError(f"{file}: {other.name} has the same name but for folder or suffix; rename one of them.")
    return found


def split_of(name: str) -> str | None:
    """The split that one of a file's folders names; CVAT's YOLO folders are called obj_train_data."""
    for part in PurePosixPath(name).parent.parts:
        inner = re.fullmatch(r"obj_(.+)_data", part)
        called = (inner[1] if inner else part).lower()
        for split, aliases in SPLITS.items():
            if called in aliases:
                return split
    return None
