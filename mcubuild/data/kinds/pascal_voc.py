"""Pascal VOC 2007 and 2012."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind, always
from mcubuild.data.places import place

if TYPE_CHECKING:
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.pascal_voc import PascalVocSettings

_ARCHIVES = {
    2007: {"VOCtrainval_06-Nov-2007.tar": "trainval", "VOCtest_06-Nov-2007.tar": "test"},
    2012: {"VOCtrainval_11-May-2012.tar": "trainval"},
}
"""Of each year, and the list of pictures that each has."""


def _unpacked(folder: Path, year: int, part: str) -> Path | None:
    """The year's folder, if it is there with this list of pictures."""
    for place_of in (folder / "VOCdevkit" / f"VOC{year}", folder / f"VOC{year}"):
        if (place_of / "ImageSets" / "Main" / f"{part}.txt").is_file():
            return place_of
    return None


def _parts(years: Sequence[int], folder: Path) -> Iterator[tuple[int, str, Path | None]]:
    """Year, name of the archive, and where that or what is in it lies, if it does."""
    for year in sorted(set(years)):
        for name, part in _ARCHIVES[year].items():
            where = _unpacked(folder, year, part)
            archive = folder / name
            yield year, name, where or (archive if archive.is_file() else None)


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    folder = place("pascal_voc", settings["path"], root)
    return {where.relative_to(folder).as_posix(): where for _, _, where in _parts(settings["years"], folder) if where}


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    folder = place("pascal_voc", settings["path"], root)
    return [name for _, name, where in _parts(settings["years"], folder) if where is None]


def _files(where: Path) -> dict[str, "File"]:
    """Files of a year by their names in its folder."""
    from mcubuild.data.files import PathFile, tarred
    from mcubuild.data.sources import files_below

    if where.is_dir():
        return {name: PathFile(path, f"{where.name}/{name}") for name, path in files_below(where).items()}
    return {file.name.partition("/")[2].partition("/")[2]: file for file in tarred(where)}


def _names(files: Mapping[str, "File"], part: str, where: str) -> list[str]:
    """The pictures in a list.

    Raises:
        BuildError: it cannot be read.
    """
    from mcubuild.data.files import DAMAGES
    from mcubuild.errors import BuildError

    path = f"ImageSets/Main/{part}.txt"
    try:
        with files[path].open() as content:
            return content.read().decode().split()
    except KeyError:
        raise BuildError(f"{where}: has no {path}; it is not whole: get it again.") from None
    except DAMAGES as error:
        raise BuildError(f"{where}: {path} cannot be read ({error}); get it again.") from None


def _find(settings: "PascalVocSettings", root: Path) -> Found:
    from functools import partial

    from mcubuild.data.annotated import Pictures
    from mcubuild.data.labelled import files_of
    from mcubuild.data.voc import read_voc
    from mcubuild.spec.datasets.pascal_voc import CLASSES

    folder = place("pascal_voc", settings.path, root)
    places: dict[int, dict[str, File]] = {}
    for year, _, where in _parts(settings.years, folder):
        assert where is not None  # nothing is missing
        places.setdefault(year, {}).update(_files(where))
    pictures = Pictures()
    for year, files in places.items():
        title = f"{folder} (VOC{year})"
        held = set(_names(files, "val", title))
        tested = set[str]()
        parts = ["trainval"]
        if year == 2007:
            parts.append("test")
            tested = set(_names(files, "test", title))
        elif 2007 not in places:
            tested, held = held, set[str]()
        names = [name for part in parts for name in _names(files, part, title)]
        images = files_of([f"JPEGImages/{name}.jpg" for name in names], files, "ImageSets", title)
        labels = files_of([f"Annotations/{name}.xml" for name in names], files, "ImageSets", title)
        splits = [
            "test" if name in tested else "val" if settings.official_val and year == 2007 and name in held else None
            for name in names
        ]
        pictures.read(list(zip(images, labels, splits, strict=True)), partial(read_voc, first=1))
    held_out = {"val": settings.held_out(pictures.splits.count(None))}
    return pictures.found(settings, str(folder), held_out, CLASSES)


KIND = Kind("images", _sources, _find, _lacking, foretold=always)
