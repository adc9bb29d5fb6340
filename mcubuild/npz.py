"""Arrays in .npz files whose bytes depend on the arrays alone."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip entry can carry."""


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` uncompressed and in sorted order, so that equal arrays give equal bytes on every machine."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(arrays[name]), (1, 0), allow_pickle=False)


def read_npz(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays called ``names``; others in the file are left alone.

    Raises:
        BuildError: the file is missing or damaged, or lacks an array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _read(archive, f"{name}.npy") for name in names}
    except KeyError as error:
        raise BuildError(f"{path}: damaged: {error.args[0]}; delete the file and build again.") from None
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete it and build again.") from None


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as entry:
        array: NDArray[Any] = np.lib.format.read_array(entry, allow_pickle=False)
        entry.read()  # to the end, where zipfile compares the checksum
        return array
