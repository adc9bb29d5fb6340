"""Where the data sets are that everybody uses: one folder for all specs and checkouts."""

import os
from collections.abc import Sequence
from pathlib import Path

from mcubuild.errors import BuildError

_NAMED = 4


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


def missing(kind: str, path: str | None, root: Path, lacking: Sequence[str]) -> str:
    """What a user is told whose data set is not there.

    Args:
        kind: of the data set.
        path: the spec's key, if it has one.
        root: folder that ``path`` is relative to.
        lacking: names of the files that are missing.
    """
    from mcubuild.data.fetch.table import account

    them = "it" if len(lacking) == 1 else "them"
    listed = ", ".join(lacking[:_NAMED]) + (f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else "")
    told = f'{place(kind, path, root)}: found no {listed} for dataset.kind = "{kind}"; '
    if (page := account(kind)) is not None:
        return f"{told}get {them} with an account ({page}) and put {them} there, or point dataset.path at a copy."
    if path is not None:
        return f"{told}put {them} there, point dataset.path at a copy, or leave it out to have {them} fetched."
    return f"{told}let {them} be fetched (doit data spec=...), put {them} there, or point dataset.path at a copy."
