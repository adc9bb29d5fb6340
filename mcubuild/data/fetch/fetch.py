"""Bringing what a data set lacks into its folder: once, whole and verified, whoever asks for it at the same time."""

import errno
import fcntl
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from mcubuild.data.fetch.consent import agree
from mcubuild.data.fetch.download import bytes_there, download, forget
from mcubuild.data.fetch.table import Archive, published
from mcubuild.data.places import data_folder
from mcubuild.errors import BuildError, tell
from mcubuild.files import discard, open_lock
from mcubuild.progress import Bar, bar
from mcubuild.units import format_bytes

_MB = 10**6
_CHUNK = 4 * 2**20
"""Bytes that are read or written at a time of what is on disk."""


def fetch(kind: str, lacking: Callable[[], Sequence[str]]) -> None:
    """Bring what a data set lacks into the folder of its ``kind``; asks nobody if that is nothing.

    Args:
        kind: of the data set.
        lacking: the names of the files that are not there now; those that nobody may fetch are left to who reads them.

    Raises:
        BuildError: the user does not want it, the disk has no room, or the server does not give what is published.
    """
    table, folder = published(kind), data_folder(kind)
    if not any(name in table for name in lacking()):
        return
    with _disk_errors(folder), _alone(folder):
        wanted = [table[name] for name in lacking() if name in table]  # another build may have brought them meanwhile
        there = sum(bytes_there(archive, folder) for archive in wanted)
        total = sum(archive.size for archive in wanted)
        if not wanted:
            return
        agree(folder, [archive.name for archive in wanted], total - there)
        _check_room(folder, total - there + max((archive.size for archive in wanted if archive.packed), default=0))
        with bar("fetch (MB)", -(-total // _MB), there // _MB) as progress:
            for archive in wanted:
                _bring(archive, folder, _Megabytes(progress, archive))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the right to fetch into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(open_lock(folder / ".lock"), "rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"{folder}: another build is fetching; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BuildError(
                f"{folder}: the disk is full. Make room, or name another folder with MCUBUILD_DATA=<folder>; the same "
                f"command goes on from what is there."
            ) from None
        raise BuildError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); data sets are fetched into "
            f"{folder}: make it writable, or name another folder with MCUBUILD_DATA=<folder>."
        ) from None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BuildError(
            f"{folder}: {format_bytes(needed)} are needed, and the disk has {format_bytes(free)}. Make room, or name "
            f"a folder on another disk with MCUBUILD_DATA=<folder>."
        )


class _Megabytes:
    """Tells a bar that counts in megabytes of bytes, from any thread."""

    def __init__(self, progress: Bar, archive: Archive) -> None:
        self._progress, self._name = progress, archive.name
        self._bytes, self._lock = 0, Lock()

    def advance(self, count: int) -> None:
        """So many bytes more are there, or fewer."""
        with self._lock:
            before, self._bytes = self._bytes // _MB, self._bytes + count
            steps = self._bytes // _MB - before
        self._progress.advance(steps, file=self._name)

    def verifying(self) -> None:
        """What is there is being read."""
        self._progress.advance(0, verify=self._name)


def _bring(archive: Archive, folder: Path, told: _Megabytes) -> None:
    part = download(archive, folder, told.advance)
    found = hashlib.sha256()
    with part.open("rb") as file:
        while content := file.read(_CHUNK):
            found.update(content)
            told.verifying()
    if found.hexdigest() != archive.sha256:
        aside = folder / f".wrong-{archive.name}"
        discard(aside)
        part.rename(aside)
        forget(part)
        raise BuildError(
            f"{archive.url}: what was fetched is not what is published: SHA-256 {found.hexdigest()}, not "
            f"{archive.sha256}. It was put aside as {aside}; the same command fetches it again."
        )
    if archive.packed:
        _unpack(part, folder / archive.name, told)
    else:
        part.replace(folder / archive.name)
    forget(part)


def _unpack(part: Path, target: Path, told: _Megabytes) -> None:
    """Write what ``part`` has in compressed form to ``target``, which appears when it is whole."""
    fresh = target.with_name(f".{target.name}.unpacked")
    try:
        with gzip.open(part) as packed, fresh.open("wb") as file:
            while content := packed.read(_CHUNK):
                file.write(content)
                told.verifying()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        discard(fresh)
        raise
    fresh.replace(target)
