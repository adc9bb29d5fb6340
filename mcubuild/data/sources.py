"""Which files a data set consists of, and what their names and folders tell.

Asked while the task graph is built, so this module imports nothing heavy.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcubuild.data.kinds.base import Found
from mcubuild.errors import BuildError
from mcubuild.spec.pattern import compile_pattern

if TYPE_CHECKING:
    from mcubuild.data.files import File
    from mcubuild.data.samples import Samples
    from mcubuild.spec.datasets.base import FolderSettings

SPLITS: Final = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""The splits, and what folders of theirs are called, in capitals or not."""

_LITTER: Final = ("thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r", "__macosx", "@eadir")
"""What file managers, photo organisers, archivers and network drives leave behind, in small letters; names with a
leading dot are skipped too."""


@dataclass(frozen=True)
class Content:
    """What the files of a kind of data set are."""

    noun: str
    suffixes: tuple[str, ...]
    """In either case."""
    conversion: str
    """A command that makes such a file of another one."""


@dataclass(frozen=True)
class Listed:
    """The files of a data set, one a sample; the lists have an entry for each."""

    classes: tuple[str, ...]
    """Sorted names; a sample's label is the index of its class."""
    paths: list[Path]
    labels: list[int]
    splits: list[str | None]
    """Of ``SPLITS``, the one that folder or pattern give it; None where the split is to be drawn."""
    groups: list[str] | None
    """Samples of one group stay together when a split is drawn; None: each may go its own way."""


def folder_of(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    """What a data set which is a folder is made from: that folder, if it is there; what is wrong with a missing one is
    told when the data set is prepared.

    Args:
        settings: the spec's dataset section as JSON.
        root: folder that its ``path`` is relative to.
    """
    folder = root / settings["path"]
    return {"folder": folder} if folder.is_dir() else {}


def files_below(folder: Path) -> dict[str, Path]:
    """Every file in ``folder`` and its folders, by name below it, in a fixed order; nothing if there is no such folder.

    Raises:
        BuildError: a folder cannot be read, or a name is not UTF-8.
    """
    if not folder.is_dir():
        return {}
    return {file.removeprefix(f"{folder}{os.sep}"): Path(file) for file in _files(folder)}


def find_in_folder(
    settings: "FolderSettings", root: Path, content: Content, samples: "Callable[[Sequence[File]], Samples]"
) -> Found:
    """What the folder that ``settings`` name has, as what ``samples`` makes of its files.

    Raises:
        BuildError: as ``scan``.
    """
    import numpy as np

    from mcubuild.data.files import PathFile

    folder = root / settings.path
    listed = scan(folder, settings, content)
    return Found(
        listed.classes,
        np.array(listed.labels, np.int64),
        samples([PathFile(path, path.relative_to(folder).as_posix()) for path in listed.paths]),
        listed.splits,
        listed.groups,
        {"val": settings.val_fraction, "test": settings.test_fraction},
        cautions=_left_over(folder, listed, content),
    )


def _left_over(folder: Path, listed: Listed, content: Content) -> tuple[str, ...]:
    """A caution about files that look like samples, but are in no folder of a class."""
    from mcubuild.data.checks import counted

    used = set(map(str, listed.paths))
    found = [name for name, path in files_below(folder).items() if path.suffix.lower() in content.suffixes]
    left = [name for name in found if f"{folder}{os.sep}{name}" not in used]
    what = f"{content.noun[0].upper()}{content.noun[1:]} in no folder of a class were left out"
    return (counted(what, left, len(found)),) if left else ()


def scan(folder: Path, settings: "FolderSettings", content: Content) -> Listed:
    """The samples in ``folder``, sorted by split, class and name.

    Without a pattern: ``<class>/*``, or ``train/<class>/*`` with ``val`` and ``test`` beside it if given, by one of the
    names in ``SPLITS``. With one: all
    files below the folder.

    Raises:
        BuildError: no such folder, no classes, a class without files, a file of another sort, splits whose classes
            differ, a name that does not match the pattern, or a split that no file is in.
    """
    if not folder.is_dir():
        raise BuildError(
            f"{folder}: no such folder; dataset.path names the folder with one folder of {content.noun} a class."
        )
    if settings.pattern is None:
        samples = _by_folder(folder, content)
    else:
        samples = _by_pattern(folder, content, settings.pattern, settings.group)
    for split, globs in (("val", settings.val), ("test", settings.test)):
        if globs is not None:
            assign(
                [path.relative_to(folder).as_posix() for path in samples.paths], samples.splits, split, globs, folder
            )
    return samples


def _by_folder(folder: Path, content: Content) -> Listed:
    parts = _parts(folder)
    samples = Listed((), [], [], [], None)
    for split, part in parts.items():
        found = tuple(_folders(part))
        if len(found) < 2:
            raise BuildError(
                f"{part}: found {len(found)} folders{' (' + found[0] + ')' if found else ''}; "
                f"at least two classes are needed, each a folder of {content.noun}."
            )
        if samples.classes and found != samples.classes:
            odd = sorted(set(found) ^ set(samples.classes))[0]
            raise BuildError(
                f"{part}: the class {odd!r} is in one of {', '.join(map(str, parts))} and not in another; "
                f"every split must have the same classes."
            )
        samples = Listed(found, samples.paths, samples.labels, samples.splits, None)
        for label, name in enumerate(found):
            paths = _files_of_class(part / name, content)
            samples.paths.extend(paths)
            samples.labels.extend([label] * len(paths))
            samples.splits.extend([split] * len(paths))
    return samples


def _parts(folder: Path) -> dict[str | None, Path]:
    """The folders with a folder a class, by split; ``folder`` itself if the splits have none."""
    names = _folders(folder)
    found = {split: [name for name in names if name.lower() in aliases] for split, aliases in SPLITS.items()}
    if not found["train"] or sum(map(len, found.values())) < len(names):
        return {None: folder}
    for split, same in found.items():
        if len(same) > 1:
            raise BuildError(
                f"{folder}: found {' and '.join(map(repr, same))}, which both stand for the split {split!r}; "
                f"put their files into one folder, or rename the one that is not meant."
            )
    return {split: folder / name for split, same in found.items() for name in same}


def _files_of_class(folder: Path, content: Content) -> list[Path]:
    paths = [Path(entry.path) for entry in entries(folder)]
    for path in paths:
        if path.is_dir():
            raise BuildError(
                f"{path}: found a folder among the {content.noun} of a class; allowed above {folder.name!r} are "
                f"folders of classes alone, or of splits alone: {', '.join(SPLITS)}; move it or the odd one elsewhere."
            )
        if path.suffix.lower() not in content.suffixes:
            raise BuildError(
                f"{path}: not one of the {content.noun} that can be read; allowed here: "
                f"{', '.join(content.suffixes)}; convert it ({content.conversion}) or move it elsewhere."
            )
    if not paths:
        raise BuildError(f"{folder}: found no {content.noun}; add some, or remove the folder if it is no class.")
    return paths


def _by_pattern(folder: Path, content: Content, pattern: str, group: str | None) -> Listed:
    """All files with the right suffix, which must match; others (a README, a licence) are left alone."""
    expression = compile_pattern(pattern)
    paths = [path for path in map(Path, _files(folder)) if path.suffix.lower() in content.suffixes]
    if not paths:
        raise BuildError(f"{folder}: found no {content.noun} ({', '.join(content.suffixes)}); is the path right?")
    fields = [fields_of(path.relative_to(folder).as_posix(), expression, pattern, folder) for path in paths]
    classes = tuple(sorted({field["class"] for field in fields}))
    if len(classes) < 2:
        raise BuildError(f"{folder}: found one class, {classes[0]!r}, by dataset.pattern; at least two are needed.")
    return Listed(
        classes,
        paths,
        [classes.index(field["class"]) for field in fields],
        [None] * len(paths),
        None if group is None else [field[group] for field in fields],
    )


def assign(
    names: Sequence[str], splits: MutableSequence[str | None], split: str, globs: Sequence[str], folder: Path
) -> None:
    """Put the samples whose names below ``folder`` fit one of ``globs`` into ``split``: change the list of ``splits``.

    Raises:
        BuildError: one is in a split already, or none fits.
    """
    fits = re.compile("|".join(map(fnmatch.translate, globs))).match
    found = 0
    for number, name in enumerate(names):
        if not fits(name):
            continue
        if splits[number] is not None:
            raise BuildError(
                f"{folder / name}: belongs to the split {splits[number]!r} already, and dataset.{split} fits it too; "
                f"every sample is in one split: change the one or the other."
            )
        splits[number] = split
        found += 1
    if not found:
        raise BuildError(
            f"{folder}: no file fits dataset.{split} = {', '.join(map(repr, globs))}; the first file here is "
            f"{names[0]!r}."
        )


def fields_of(name: str, expression: re.Pattern[str], pattern: str, folder: Path) -> dict[str, str]:
    """What the ``expression`` of a ``pattern`` finds in the name of a file below ``folder``.

    Raises:
        BuildError: they do not fit.
    """
    match = expression.fullmatch(name)
    if match is None:
        raise BuildError(
            f"{folder / name}: {name!r} does not match dataset.pattern, {pattern!r}; rename the file or move it "
            f"elsewhere, or change the pattern. No field contains what separates two of them."
        )
    return match.groupdict()


def passed_over(name: str) -> bool:
    """Whether the member ``name`` of an archive is what ``entries`` skips, or lies in such a folder."""
    return any(_is_litter(part) for part in name.split("/") if part != ".")


def entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """Files and folders in ``folder``, by name, but what is hidden or file managers left; whether an entry is a folder
    is known then.
    """
    try:
        with os.scandir(folder) as entries:
            wanted = [entry for entry in entries if not _is_litter(entry.name)]
        special = [entry for entry in wanted if not (entry.is_dir() or entry.is_file()) and Path(entry.path).exists()]
    except OSError as error:  # such as links that go round in circles
        raise BuildError(f"{error.filename}: cannot be read ({error.strerror}); mend or remove it.") from None
    if special:  # reading a pipe would wait for ever
        raise BuildError(f"{special[0].path}: is a pipe, a socket or a device, no file; move it elsewhere.")
    for entry in wanted:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise BuildError(f"{folder}: the name {entry.name!r} in it is not UTF-8; rename it.") from None
    return sorted(wanted, key=lambda entry: entry.name)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _files(folder: Path | str) -> Iterator[str]:
    """Paths of all files under ``folder``, as strings, because there may be very many."""
    for entry in entries(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        else:
            yield entry.path


def _folders(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder) if entry.is_dir()]
