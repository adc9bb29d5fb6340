"""Where the data sets are that everybody uses: one folder for all specs and checkouts."""

import os
from pathlib import Path

from mcubuild.errors import BuildError


def data_folder(kind: str) -> Path:
    """Folder of the data sets of a ``kind``: in ``$MCUBUILD_DATA``, or in ``mcubuild/data`` of the user's cache folder
    (``$XDG_CACHE_HOME``, ``~/.cache``). It need not exist.

    Raises:
        BuildError: there is no home that either begins in.
    """
    try:
        if chosen := os.environ.get("MCUBUILD_DATA"):
            return Path(chosen).expanduser().resolve() / kind
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcubuild" / "data" / kind
    except RuntimeError as error:
        raise BuildError(f"there is no place for data sets ({error}); name one: MCUBUILD_DATA=<folder>.") from None


def place(kind: str, path: str | None, root: Path) -> Path:
    """The folder with the data: ``path``, relative to ``root``, or where data of this ``kind`` is for all specs.

    Raises:
        BuildError: as ``data_folder``.
    """
    return data_folder(kind) if path is None else root / path


def missing(kind: str, path: str | None, root: Path, wanted: str) -> str:
    """What a user is told whose data set is not there.

    Args:
        kind: of the data set.
        path: the spec's key, if it has one.
        root: folder that ``path`` is relative to.
        wanted: files that are missing.
    """
    folder = place(kind, path, root)
    point = "dataset.path to a folder with a copy" if path is None else f"dataset.path, now {path!r}, to another folder"
    ways = f"put {'it' if ',' not in wanted else 'them'} there, or point {point}"
    fetched = f"fetch {'it' if ',' not in wanted else 'them'} with MCUBUILD_FETCH=yes doit data spec=..., "
    return f'{folder}: found no {wanted} for dataset.kind = "{kind}"; {fetched if path is None else ""}{ways}.'
