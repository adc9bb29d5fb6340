"""Files to read samples from: alone in a folder, or in a zip or tar archive that is never unpacked."""

import gzip
import hashlib
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from mcubuild.data.sources import passed_over
from mcubuild.errors import BuildError
from mcubuild.processes import processes
from mcubuild.progress import bar

DAMAGES = (
    OSError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)
"""What reading an archive raises: it is damaged, encrypted (RuntimeError), packed in an unknown way, or has a name that
is no text."""
FEW = 500
"""Files that take one process less time than others take to start."""
_GROUP = 32


class File(Protocol):
    """Something with bytes in it. ``str()`` of it is what messages call it."""

    @property
    def name(self) -> str:
        """Below the data set's folder, or in the archive: the same on every machine."""

    def open(self) -> BinaryIO:
        """The bytes, from the first on; may raise any of ``DAMAGES``."""


@dataclass(frozen=True, slots=True)
class PathFile:
    """A file in a folder."""

    path: Path | str
    """A string where there may be millions."""
    name: str

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        """The file."""
        return open(self.path, "rb")  # noqa: PTH123


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip archive."""

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"

    def open(self) -> BinaryIO:
        """The whole member, whose checksum has been compared: decoders ask to and fro, and pieces tell no damage."""
        return BytesIO(_zip(self.archive).read(self.name))


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that stand in another file as they are: a member of an uncompressed tar, or of a tar in that."""

    archive: Path
    name: str
    start: int
    """Offset of the first byte in ``archive``."""
    size: int
    """In bytes."""

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"

    def open(self) -> BinaryIO:
        """The whole member.

        Raises:
            EOFError: the archive ends before it does.
        """
        with self.archive.open("rb") as file:
            file.seek(self.start)
            content = file.read(self.size)
        if len(content) < self.size:
            raise EOFError("the archive is cut off")
        return BytesIO(content)


def _zip(archive: Path) -> zipfile.ZipFile:
    """The open archive."""
    status = archive.stat()
    return _opened(archive, (status.st_ino, status.st_size, status.st_mtime_ns), os.getpid())


@cache
def _opened(archive: Path, content: tuple[int, ...], process: int) -> zipfile.ZipFile:
    """A directory takes a second to read where members are many; each process opens its own."""
    return zipfile.ZipFile(archive)


@contextmanager
def _whole(archive: "Path | Piece") -> Iterator[None]:
    try:
        yield
    except DAMAGES as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200] or type(error).__name__
        raise BuildError(
            f"{archive}: cannot be read as an archive ({reason}); it is damaged or not whole: get it again."
        ) from None


def zipped(archive: Path) -> list[ZipMember]:
    """The files in a zip archive, in its order; folders are none.

    Raises:
        BuildError: it is missing, no archive, or cut off.
    """
    with _whole(archive):
        names = [name for name in _zip(archive).namelist() if name and not name.endswith("/")]
        return [ZipMember(archive, name) for name in names if not passed_over(name)]


def tarred(archive: "Path | Piece") -> list[Piece]:
    """The files in an uncompressed tar archive, or in one that is a member of another, in its order.

    Raises:
        BuildError: it is missing, no archive, compressed, or cut off.
    """
    path, start, end = archive, 0, None
    if isinstance(archive, Piece):
        path, start, end = archive.archive, archive.start, archive.start + archive.size
    assert isinstance(path, Path)
    with _whole(archive), path.open("rb") as file:
        file.seek(start)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            entries = (entry for entry in tar if entry.isfile() and not passed_over(entry.name))
            found = [Piece(path, entry.name, entry.offset_data, entry.size) for entry in entries]
            file.seek(tar.offset)
            # Such a block ends every archive.
            whole = file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
            if not whole or (end is not None and file.tell() > end):
                raise EOFError("it is cut off")
    return found


def read_packed(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """The content of those files in a tar archive compressed by gzip that have one of the ``names``, in any folder.

    Raises:
        BuildError: the archive is damaged, or lacks one.
    """
    found = dict[str, bytes]()
    with _whole(archive), gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for entry in tar:
            name = entry.name.rpartition("/")[2]
            if name in names and (file := tar.extractfile(entry)) is not None:
                found[name] = file.read()
        while stream.read(1 << 20):  # to its end, where the checksum is
            pass
    if lacking := [name for name in names if name not in found]:
        raise BuildError(f"{archive}: has no {', '.join(lacking)}; it is not whole, or another archive: get it again.")
    return found


@dataclass(frozen=True)
class Unpacked:
    """A member of a compressed tar archive, whose content lies in a temporary file that nobody else sees."""

    archive: Path
    name: str
    start: int
    """Offset of the first byte in ``content``."""
    size: int
    """In bytes."""
    content: BinaryIO
    """Of the archive; gone when the last member is."""

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"

    def open(self) -> BinaryIO:
        """The whole member."""
        return BytesIO(os.pread(self.content.fileno(), self.size, self.start))


def unpacked(archive: Path) -> list[Unpacked]:
    """The files in a tar archive compressed by gzip, in its order, without "./" before their names.

    Raises:
        BuildError: it is missing, no archive, or cut off; or there is no space for what is in it.
    """
    content = tempfile.TemporaryFile()  # noqa: SIM115 (the members keep it)
    with _whole(archive), gzip.open(archive) as stream, bar("unpack", archive.stat().st_size) as progress:
        told = 0
        while piece := stream.read(1 << 20):
            try:
                content.write(piece)
            except OSError as error:
                raise BuildError(
                    f"{archive}: there is no space to unpack it in {tempfile.gettempdir()} ({error.strerror}); name a "
                    f"folder on another disk: TMPDIR=<folder>."
                ) from None
            at = stream.fileobj.tell()  # type: ignore[union-attr]
            progress.advance(at - told)
            told = at
        content.flush()
        content.seek(0)
        with tarfile.open(fileobj=content, mode="r:") as tar:
            return [
                Unpacked(archive, entry.name.removeprefix("./"), entry.offset_data, entry.size, content)
                for entry in tar
                if entry.isfile() and not passed_over(entry.name)
            ]


def digests(files: Sequence[File]) -> list[str]:
    """SHA-256 of each file's bytes, in hexadecimal; of its name where they cannot be read: what wants to know what is
    in it says why.
    """
    found: list[str] = []
    with bar("hash files", len(files)) as progress, processes(alone=len(files) < FEW) as executor:
        for part in executor.map(_digests, batched(files)):
            found += part
            progress.advance(len(part))
    return found


def batched(files: Sequence[File]) -> Iterator[Sequence[File]]:
    """``files`` in groups that are worth sending to another process."""
    return (files[start : start + _GROUP] for start in range(0, len(files), _GROUP))


def _digests(files: Sequence[File]) -> list[str]:
    return [_digest(file) for file in files]


def _digest(file: File) -> str:
    try:
        with file.open() as content:
            return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except DAMAGES:
        return hashlib.sha256(f"cannot be read: {file.name}".encode()).hexdigest()
