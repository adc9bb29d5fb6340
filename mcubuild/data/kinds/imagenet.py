"""ImageNet (ILSVRC2012): in the official archives, which stay packed, or in folders."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.places import place
from mcubuild.data.sources import entries

if TYPE_CHECKING:
    from mcubuild.data.files import File, Piece
    from mcubuild.spec.datasets.imagenet import ImagenetSettings

_TRAIN, _VAL, _DEVKIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
_KAGGLE = "ILSVRC/Data/CLS-LOC"
_TRUTH, _META, _SOLUTION = "ILSVRC2012_validation_ground_truth.txt", "meta.mat", "LOC_val_solution.csv"
"""The classes of the validation images as numbers; which class has which number; and both in one."""
_UNPACKED = ("", "data", "ILSVRC2012_devkit_t12/data")
"""Where the first two are, if not in the devkit's archive."""


@dataclass(frozen=True)
class _Places:
    """Where everything is; None where it is not there."""

    train: Path | None
    """A folder or a tar archive."""
    val: Path | None
    truth: tuple[Path, ...]
    """What says which class the validation images are of: the devkit, the two files of it that matter, or Kaggle's."""
    sorted: bool
    """Whether the validation images are in a folder a class, which says it as well."""


def _places(folder: Path) -> _Places:
    train, val = (
        next((path for path in (folder / archive, folder / name, folder / _KAGGLE / name) if path.exists()), None)
        for archive, name in ((_TRAIN, "train"), (_VAL, "val"))
    )
    found = [(folder / _DEVKIT,), *((folder / part / _TRUTH, folder / part / _META) for part in _UNPACKED)]
    found.append((folder / _SOLUTION,))
    truth = next((paths for paths in found if all(path.is_file() for path in paths)), ())
    return _Places(train, val, truth, val is not None and _begins_with_a_folder(val))


def _begins_with_a_folder(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as found:
        return any(entry.is_dir() for entry in (next(found, None),) if entry is not None)


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    places = _places(place("imagenet", settings["path"], root))
    found = {name: path for name, path in (("train", places.train), ("val", places.val)) if path is not None}
    if not places.sorted:
        found |= {path.name: path for path in places.truth}
    if isinstance(settings["classes"], str) and (listed := root / settings["classes"]).is_file():
        found["classes"] = listed
    return found


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    places = _places(place("imagenet", settings["path"], root))
    there = {_TRAIN: places.train, _VAL: places.val, _DEVKIT: places.truth or places.sorted}
    return [name for name, found in there.items() if not found]


def _find(settings: "ImagenetSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.samples import Images
    from mcubuild.errors import BuildError
    from mcubuild.progress import bar

    places = _places(place(settings.kind, settings.path, root))
    assert places.train is not None and places.val is not None  # nothing is lacking
    there = _by_class(places.train)
    classes = _chosen(settings, root, sorted(there), places.train)
    files: list[File] = []
    labels: list[int] = []
    with bar("list images", len(classes)) as progress:
        for label, name in enumerate(classes):
            found = _images(there[name], f"train/{name}")
            if not found:
                raise BuildError(f"{places.train}: the class {name} has no images; get it again.")
            files += found
            labels += [label] * len(found)
            progress.advance()
    count = len(files)
    label_of = {name: label for label, name in enumerate(classes)}
    for name, file in _validation(places):
        if name not in there:
            raise BuildError(f"{places.val}: {file.name} is of the class {name}, which {places.train} does not have.")
        if name in label_of:
            files.append(file)
            labels.append(label_of[name])
    return Found(
        tuple(classes),
        np.array(labels, np.int64),
        Images(files, settings, colour=True),
        [None] * count + ["test"] * (len(files) - count),
        None,
        {"val": settings.held_out(count)},
    )


def _by_class(images: Path) -> "dict[str, Path | Piece]":
    """The folder or tar archive of each class in a folder or tar archive.

    Raises:
        BuildError: something else is there, or a class twice.
    """
    from mcubuild.data.files import tarred
    from mcubuild.errors import BuildError

    within: list[tuple[str, Path | Piece]]
    if images.is_dir():
        within = [(entry.name, Path(entry.path)) for entry in entries(images)]
    else:
        within = [(piece.name, piece) for piece in tarred(images)]
    found: dict[str, Path | Piece] = {}
    for name, one in within:
        of = name.removesuffix(".tar").rpartition("/")[2]
        if name == of and not (isinstance(one, Path) and one.is_dir()):
            raise BuildError(f"{images}: found {name}, which is no class: a folder, or a tar archive, of its images.")
        if of in found:
            raise BuildError(f"{images}: has the class {of} twice, as {found[of]} and as {one}; remove one.")
        found[of] = one
    return found


def _images(of: "Path | Piece", called: str) -> "list[File]":
    """The images in a class's folder or archive, named as if they were in a folder that is ``called`` so.

    Raises:
        BuildError: something else is there, or the archive is damaged.
    """
    from mcubuild.data.files import PathFile, tarred
    from mcubuild.data.labelled import SUFFIXES
    from mcubuild.errors import BuildError

    found: list[File]
    if isinstance(of, Path) and of.is_dir():
        found = [PathFile(entry.path, f"{called}/{entry.name}") for entry in entries(of)]
    else:
        found = [replace(piece, name=f"{called}/{piece.name.rpartition('/')[2]}") for piece in tarred(of)]
    if odd := next((file for file in found if not file.name.lower().endswith(SUFFIXES)), None):
        raise BuildError(f"{of}: found {odd.name}, which is no image ({', '.join(SUFFIXES)}); move it elsewhere.")
    return sorted(found, key=lambda file: file.name)


def _chosen(settings: "ImagenetSettings", root: Path, there: Sequence[str], train: Path) -> list[str]:
    """The classes that the settings ask for, sorted.

    Raises:
        BuildError: they are not all ``there``.
    """
    from mcubuild.errors import BuildError, reading, shown
    from mcubuild.spec.datasets.imagenet import CLASSES

    if isinstance(settings.classes, str):
        path = root / settings.classes
        with reading(path, "a list of classes"):
            wanted = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if strange := [name for name in wanted if name not in there]:
            raise BuildError(
                f"{path}: {len(strange)} of its {len(wanted)} classes, {shown(strange[0])} among them, are not in "
                f"{train}; a line must begin with a class such as {there[0] if there else 'n01440764'}."
            )
        if len(set(wanted)) < max(2, len(wanted)):
            raise BuildError(
                f"{path}: lists {len(set(wanted))} different classes in {len(wanted)} lines; name two or more once."
            )
        return sorted(wanted)
    if settings.classes > len(there) or settings.classes == CLASSES != len(there):
        raise BuildError(
            f"{train}: found {len(there)} classes, dataset.classes = {settings.classes}; get the archive again, or ask "
            f"for fewer: classes = {max(2, min(len(there), CLASSES - 1))}."
        )
    return sorted(sorted(there, key=lambda name: _place(settings.class_draw, name))[: settings.classes])


def _place(draw: int, name: str) -> bytes:
    """A class's place in a draw, whatever other classes there are."""
    return hashlib.sha256(f"{draw} {name}".encode()).digest()


def _validation(places: _Places) -> "Iterator[tuple[str, File]]":
    """Class and file of each validation image, by name.

    Raises:
        BuildError: images, and what says of which class they are, do not belong together.
    """
    from mcubuild.data.labelled import files_of, images_in, refuse_unlisted

    assert places.val is not None
    if places.sorted:
        of = [(name, file) for name, one in _by_class(places.val).items() for file in _images(one, "val")]
        yield from sorted(of, key=lambda pair: pair[1].name)
        return
    there: dict[str, File] = images_in(places.val)
    names = sorted(there)
    told = str(places.truth[0])
    if places.truth[0].name == _SOLUTION:
        classes = _solution(places.truth[0])
        files_of(list(classes), there, told, str(places.val))
        refuse_unlisted(classes, there, told, str(places.val))
    else:
        classes = dict(zip(names, _truth(places, len(names)), strict=True))
    for name in names:
        yield classes[name], _renamed(there[name], f"val/{name}")


def _renamed(file: "File", name: str) -> "File":
    from mcubuild.data.files import PathFile, Piece

    assert isinstance(file, PathFile | Piece)
    return replace(file, name=name)


def _solution(path: Path) -> dict[str, str]:
    """The class of each validation image, as Kaggle's list has them.

    Raises:
        BuildError: it has no such columns, or no class.
    """
    import csv

    from mcubuild.errors import BuildError, reading, shown

    found = {}
    with reading(path, "CSV"), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"ImageId", "PredictionString"} <= {*(rows.fieldnames or ())}:
            raise BuildError(
                f"{path}: found the columns {shown(rows.fieldnames)}; it must have ImageId and PredictionString."
            )
        for number, row in enumerate(rows, start=2):
            words = (row["PredictionString"] or "").split()
            if not words:
                raise BuildError(f"{path}:{number}: has no class; get the file again.")
            found[f"{row['ImageId']}.JPEG"] = words[0]
    return found


def _truth(places: _Places, count: int) -> list[str]:
    """The classes of ``count`` validation images in the order of their names, as the devkit has them: a number a line,
    and which class has which.

    Raises:
        BuildError: they are for another number of images, or damaged.
    """
    from mcubuild.data.files import read_packed
    from mcubuild.errors import BuildError, reading

    told = places.truth[0]
    if told.name == _DEVKIT:
        content = read_packed(told, (_TRUTH, _META))
    else:
        with reading(told, "the validation images' classes"):
            content = {path.name: path.read_bytes() for path in places.truth}
    class_of = _numbered(content[_META], told)
    lines = content[_TRUTH].split()
    try:
        classes = [class_of[int(line)] for line in lines]
    except (ValueError, KeyError) as error:
        raise BuildError(f"{told}: {_TRUTH} has {error}, which is no number of a class; get it again.") from None
    if len(classes) != count:
        raise BuildError(
            f"{places.val}: has {count} images, {_TRUTH} tells the classes of {len(classes)}; get the images again, or "
            f"the devkit that belongs to them."
        )
    return classes


def _numbered(meta: bytes, told: Path) -> dict[int, str]:
    """The classes by number, of MATLAB's file ``meta.mat``.

    Raises:
        BuildError: it is damaged.
    """
    from io import BytesIO

    from scipy.io import loadmat

    from mcubuild.errors import BuildError

    try:
        synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
        leaves = synsets[synsets["num_children"] == 0]
        return {int(one["ILSVRC2012_ID"]): str(one["WNID"]) for one in leaves}
    except Exception as error:  # scipy raises whatever it stumbles over
        raise BuildError(f"{told}: {_META} cannot be read ({error}); get it again.") from None


KIND = Kind("images", _sources, _find, _lacking, foretold=lambda settings: not isinstance(settings["classes"], str))
