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

from mcubuild.errors import BuildError
from mcubuild.progress import bar

DAMAGES = (OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading an archive raises: it is damaged, encrypted (RuntimeError) or packed by an unknown method."""


class File(Protocol):
    """Something with bytes in it. ``str()`` of it is what messages call it."""

    @property
    def name(self) -> str:
        """Below the data set's folder, or in the archive: the same on every machine."""

    def open(self) -> BinaryIO:
        """The bytes, from the first on; may raise any of ``DAMAGES``."""


@dataclass(frozen=True)
class PathFile:
    """A file in a folder."""

    path: Path
    name: str

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        """The file."""
        return self.path.open("rb")


@dataclass(frozen=True)
class ZipMember:
    """A member of a zip archive."""

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"

    def open(self) -> BinaryIO:
        """The whole member, whose checksum has been compared: decoders ask to and fro, and pieces tell no damage."""
        return BytesIO(_zip(self.archive).read(self.name))


@dataclass(frozen=True)
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
def _whole(archive: Path) -> Iterator[None]:
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
        return [ZipMember(archive, entry.filename) for entry in _zip(archive).infolist() if not entry.is_dir()]


def tarred(archive: Path) -> list[Piece]:
    """The files in an uncompressed tar archive, in its order.

    Raises:
        BuildError: it is missing, no archive, compressed, or cut off.
    """
    with _whole(archive), archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
        found = [Piece(archive, entry.name, entry.offset_data, entry.size) for entry in tar if entry.isfile()]
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # which ends every archive
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
                if entry.isfile()
            ]


def digests(files: Sequence[File]) -> list[str]:
    """SHA-256 of each file's bytes, in hexadecimal; of its name where they cannot be read: what wants to know what is
    in it says why.
    """
    found = []
    with bar("hash files", len(files)) as progress:
        for file in files:
            found.append(_digest(file))
            progress.advance()
    return found


def _digest(file: File) -> str:
    try:
        with file.open() as content:
            return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except DAMAGES:
        return hashlib.sha256(f"cannot be read: {file.name}".encode()).hexdigest()
