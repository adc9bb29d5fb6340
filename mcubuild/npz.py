"""Arrays in .npz files whose bytes depend on the arrays alone."""

import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
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


def has_array(path: Path, name: str) -> bool:
    """Whether the file has an array called ``name``.

    Raises:
        BuildError: the file is missing or damaged.
    """
    with _told(path), zipfile.ZipFile(path) as archive:
        return f"{name}.npy" in archive.namelist()


def read_npz(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays called ``names``; others in the file are left alone.

    Raises:
        BuildError: the file is missing or damaged, or lacks an array.
    """
    with _told(path), zipfile.ZipFile(path) as archive:
        return {name: _read(archive, f"{name}.npy") for name in names}


def map_npz(path: Path, names: Iterable[str], most: int) -> dict[str, NDArray[Any]]:
    """The arrays called ``names``, as they lie in the uncompressed file: read when they are used, not to be written.

    Args:
        path: the file; whoever replaces it must not write into it.
        names: of the arrays; others are left alone.
        most: bytes up to which an array's checksum is compared, for which all of it is read.

    Raises:
        BuildError: the file is missing or damaged, or lacks an array.
    """
    with _told(path), zipfile.ZipFile(path) as archive, path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return {name: _mapped(archive, f"{name}.npy", content, most) for name in names}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise BuildError(f"{path}: damaged: {error.args[0]}; delete the file and build again.") from None
    except (OSError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete it and build again.") from None


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as entry:
        array: NDArray[Any] = np.lib.format.read_array(entry, allow_pickle=False)
        entry.read()  # to the end, where zipfile compares the checksum
        return array


def _mapped(archive: zipfile.ZipFile, name: str, content: mmap.mmap, most: int) -> NDArray[Any]:
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    # In front of an entry: 26 bytes, the lengths of its name and of what follows that, name, and that (APPNOTE 4.3.7).
    lengths = struct.unpack_from("<HH", content, entry.header_offset + 26)
    start = entry.header_offset + 30 + sum(lengths)
    if entry.file_size <= most and zlib.crc32(memoryview(content)[start : start + entry.file_size]) != entry.CRC:
        raise ValueError(f"{name} has another checksum")
    with archive.open(entry) as header:
        if np.lib.format.read_magic(header) != (1, 0):
            raise ValueError(f"{name} is of another version")
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(header)
        start += header.tell()
    size = dtype.itemsize * prod(shape)
    if in_columns or dtype.hasobject or start + size > len(content):
        raise ValueError(f"{name} is not whole")
    return np.frombuffer(content, dtype, prod(shape), start).reshape(shape)
