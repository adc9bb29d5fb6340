"""Image files and the lists that say what is on them: each must have what the other has."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mcubuild.data.files import File, PathFile, tarred, zipped
from mcubuild.data.sources import files_below
from mcubuild.errors import BuildError, shown

SUFFIXES = (".jpg", ".jpeg", ".png")
"""Of image files, in either case."""
_NAMED = 3


def images_in(place: Path) -> dict[str, File]:
    """The image files in a folder, or in a zip or tar archive, by their own names, without folders'.

    Raises:
        BuildError: the archive is damaged, a folder cannot be read, or two files have the same name.
    """
    files: Sequence[File]
    if place.is_dir():
        files = [PathFile(path, f"{place.name}/{name}") for name, path in files_below(place).items()]
    elif place.suffix == ".zip":
        files = zipped(place)
    else:
        files = tarred(place)
    found: dict[str, File] = {}
    for file in files:
        if file.name.lower().endswith(SUFFIXES):
            name = file.name.rpartition("/")[2]
            if name in found:
                raise BuildError(f"{place}: has both {found[name].name} and {file.name}; remove one.")
            found[name] = file
    return found


def files_of(listed: Collection[str], there: Mapping[str, File], listing: str, place: str) -> list[File]:
    """The file of each name in ``listed``.

    Args:
        listed: names of images.
        there: files by name.
        listing: what messages call the list.
        place: what messages call where the files are.

    Raises:
        BuildError: some are missing.
    """
    if missing := [name for name in listed if name not in there]:
        raise BuildError(
            f"{place}: {_some(missing)} of {len(listed)} images that {listing} lists are not there; get the images "
            f"again, or the list that belongs to them."
        )
    return [there[name] for name in listed]


def refuse_unlisted(listed: Collection[str], there: Mapping[str, File], listing: str, place: str) -> None:
    """See that a list says of every file what is on it; arguments as of ``files_of``.

    Raises:
        BuildError: some are not in the list.
    """
    if unlisted := [name for name in there if name not in listed]:
        raise BuildError(
            f"{place}: {_some(unlisted)} of {len(there)} images are not in {listing}, so nothing says what is on them; "
            f"move them elsewhere, or get the list again."
        )


def _some(names: Sequence[str]) -> str:
    quoted = ", ".join(shown(name) for name in names[:_NAMED])
    return f"{len(names)} ({quoted}{', ...' if len(names) > _NAMED else ''})"
