"""A store that several machines share, at any URL of fsspec: what one of them has built, the others fetch.

    <url>/.new/...               objects that are being put there, where that is not done at once
    <url>/<key[:2]>/<key>        one object an artifact: a line of JSON with the key and with names, lengths and SHA-256
                                 of the files, then their bytes, in the order of the names

An object appears whole or not at all. Whoever may write there could put anything there, so no name is taken from it,
and each file is hashed before it counts; nothing of it is run or unpickled. A store that cannot be used is told once
and set aside: the build goes on without. Credentials come from the environment alone (as the library of the protocol
reads them), and no message says what such a library said, which may have them in it.
"""

import hashlib
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mcubuild.errors import BuildError, shown, tell
from mcubuild.files import discard, open_regular
from mcubuild.store import write_chunks

T = TypeVar("T")
_ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "oci", "oss"})
"""Protocols where an object appears when all of it is there; elsewhere it is written to _NEW and renamed."""
_NEW = ".new"
_FORGOTTEN = 3600.0
"""Seconds after the last byte when what is still in _NEW was left by a build that was killed."""
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 20
_SLOWEST = 100_000
"""Bytes a second; what takes longer, and more than the patience, is given up."""
_PATIENCE = 20.0
"""Seconds."""
_SECONDS_BETWEEN_LOOKS = 0.05
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class _DamagedError(Exception):
    """An object is not what was put there."""


class SharedStore:
    """The artifacts at ``url``. It is opened when the first one is asked for."""

    def __init__(self, url: str, *, read_only: bool = False, patience: float = _PATIENCE) -> None:
        """Note where it is.

        Args:
            url: of fsspec, or a folder.
            read_only: whether nothing is put there.
            patience: seconds that anything may take besides the transfer of its bytes.

        Raises:
            BuildError: the URL has a password in it, or others inside of it.
        """
        protocol, place = url.split("://", 1) if "://" in url else ("file", url)
        if "::" in url or not re.fullmatch(r"[a-z0-9+.-]+", protocol) or not place.strip("/"):
            raise BuildError(
                "MCUBUILD_STORE_URL: must be one URL with a place in it, such as s3://bucket/folder, "
                "gs://bucket/folder, ssh://host/folder or a folder."
            )
        if re.search(r"^[^/]*:[^/]*@|[?#]", place) and protocol != "file":  # not shown: it may be a secret
            raise BuildError(
                "MCUBUILD_STORE_URL: has a password or parameters in it, which messages and lists of processes would "
                "show; leave them out, and give credentials by the variables of the protocol (AWS_SECRET_ACCESS_KEY, "
                "GOOGLE_APPLICATION_CREDENTIALS, ...) or by an ssh agent."
            )
        self.url, self.read_only = url.rstrip("/"), read_only
        self._protocol, self._patience = protocol, patience
        self._opened: tuple[int, Any, str] | None = None
        self._told, told = os.pipe()  # holds a byte until somebody has told that the store is set aside: in processes
        os.set_blocking(self._told, False)  # that are forked from this one, too
        os.write(told, b"!")
        os.close(told)
        self._aside = self._swept = False

    def fetch(self, key: str, folder: Path, names: Collection[str], scratch: Path) -> bool:
        """Copy the artifact ``key`` into the empty ``folder``; False if it is not there, is damaged or does not come.

        Args:
            key: of the artifact.
            folder: where to.
            names: of the files that it must have; no others are read, and none are written.
            scratch: folder for the object while it is not verified.
        """
        whole = scratch / f"shared-{key}"

        def get(files: Any, root: str) -> bool:
            try:
                files.get_file(_place(root, key), str(whole))
            except FileNotFoundError:
                return False
            return True

        try:
            if not self._ask(get, lambda: whole.stat().st_size if whole.exists() else 0):
                return False
            with open_regular(scratch, whole.name) as source:
                for name, (digest, length) in _header(source, key, names).items():
                    if write_chunks(_exactly(source, length), folder / name) != digest:
                        raise _DamagedError
                if source.read(1):
                    raise _DamagedError
        except (_DamagedError, ValueError, FileNotFoundError):
            tell(f"{self._named(key)}: not what was put there; it is not used, and made here.")
            discard(folder)
            folder.mkdir()
            return False
        finally:
            discard(whole)
        return True

    def contents(self, key: str, names: Collection[str]) -> dict[str, str] | None:
        """SHA-256 of the files ``names`` of the artifact ``key``, as it says; None if it is not there."""

        def head(files: Any, root: str) -> bytes | None:
            try:
                found: bytes = files.cat_file(_place(root, key), start=0, end=_LONGEST_HEADER)
            except FileNotFoundError:
                return None
            return found

        if (found := self._ask(head, lambda: 0)) is None:
            return None
        with suppress(_DamagedError):
            return {name: digest for name, (digest, _) in _header(BytesIO(found), key, names).items()}
        return None

    def push(self, key: str, folder: Path, names: Collection[str], scratch: Path) -> None:
        """Put the files ``names`` of ``folder`` there as the artifact ``key``, unless nothing may be put there.

        Args:
            key: of the artifact.
            folder: where the files are.
            names: of the files.
            scratch: folder for the object.
        """
        if self.read_only or self._aside:
            return
        whole = scratch / f"shared-{key}"
        try:
            _pack(key, folder, names, whole)
            size = whole.stat().st_size

            def put(files: Any, root: str) -> bool:
                place = _place(root, key)
                if self._protocol in _ATOMIC:
                    files.put_file(str(whole), place)
                    return True
                new = f"{root.rstrip('/')}/{_NEW}"
                beside = f"{new}/{uuid.uuid4().hex}"
                for folder in (new, place.rpartition("/")[0]):
                    files.makedirs(folder, exist_ok=True)
                self._sweep(files, new)
                try:
                    files.put_file(str(whole), beside)
                    files.mv(beside, place)
                except BaseException:
                    with suppress(Exception):
                        files.rm_file(beside)
                    raise
                return True

            self._ask(put, lambda: size)
        finally:
            discard(whole)

    def _sweep(self, files: Any, new: str) -> None:
        """Remove what builds that were killed have left in the folder ``new``, when something is first put there."""
        if self._swept:
            return
        self._swept = True
        for left in files.ls(new, detail=False):
            with suppress(FileNotFoundError, NotImplementedError):  # another build sweeps, too; few tell no time
                if time.time() - files.modified(left).timestamp() > _FORGOTTEN:
                    files.rm_file(left)

    def _ask(self, request: Callable[[Any, str], T], moved: Callable[[], int]) -> T | None:
        """What ``request`` gives, called with the file system and the path in it; None if the store is set aside.

        It runs in a thread, which is left to itself if it takes longer than is allowed for the bytes ``moved`` so far.
        """
        if self._aside:
            return None
        done, found, failed = threading.Event(), list[T](), list[BaseException]()

        def work() -> None:
            try:
                found.append(request(*self._open()))
            except BaseException as error:  # whatever a protocol's library raises
                failed.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=work, daemon=True, name="shared store")
        thread.start()
        begun = time.monotonic()
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            if time.monotonic() - begun > self._patience + moved() / _SLOWEST:
                self._set_aside(f"no answer, or a slow one, for {time.monotonic() - begun:.0f} s")
                return None
        if failed:
            self._set_aside(self._reason(failed[0]))
            return None
        return found[0]

    def _open(self) -> tuple[Any, str]:
        """The file system, opened by this process, and the path in it."""
        if self._opened is None or self._opened[0] != os.getpid():
            from fsspec.core import url_to_fs

            self._opened = (os.getpid(), *url_to_fs(self.url, skip_instance_cache=True))
        return self._opened[1:]

    def _reason(self, error: BaseException) -> str:
        """Why a request failed, in words of ours."""
        if isinstance(error, ImportError):
            extra = {"s3": "mcubuild[s3]", "s3a": "mcubuild[s3]", "gs": "gcsfs", "gcs": "gcsfs"}
            extra |= {"ssh": "paramiko", "sftp": "paramiko", "az": "adlfs", "abfs": "adlfs", "http": "aiohttp"}
            package = extra.get(self._protocol, "the package that fsspec names for it")
            return f"{self._protocol}:// needs a package more: pip install '{package}'"
        if isinstance(error, PermissionError):
            return "access is denied; are credentials in the environment that allow it?"
        if isinstance(error, FileNotFoundError):
            return "there is no such bucket or folder"
        kind = type(error).__name__
        if isinstance(error, OSError) and error.errno is not None:
            return f"{kind}: {os.strerror(error.errno)}"
        return kind

    def _set_aside(self, reason: str) -> None:
        self._aside = True
        with suppress(BlockingIOError):
            if os.read(self._told, 1):
                tell(f"shared store {self.url}: {reason}. The build goes on without it.")

    def _named(self, key: str) -> str:
        return f"{self.url}/{key[:2]}/{key}"


@cache
def shared_store() -> SharedStore | None:
    """That of ``$MCUBUILD_STORE_URL``, only read with ``$MCUBUILD_STORE_READONLY=1``; None without the variable.

    Nothing is opened. Called before processes for stages are forked, it tells of a fault once for all of them.

    Raises:
        BuildError: one of the variables says nothing that it may say.
    """
    url = os.environ.get("MCUBUILD_STORE_URL")
    if not url:
        return None
    flag = os.environ.get("MCUBUILD_STORE_READONLY", "").lower()
    if flag not in _YES + _NO:
        raise BuildError(f"MCUBUILD_STORE_READONLY={shown(flag)}: must be 1 (nothing is put there) or 0.")
    text = os.environ.get("MCUBUILD_STORE_TIMEOUT") or str(_PATIENCE)
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", text) or float(text) == 0:
        raise BuildError(f"MCUBUILD_STORE_TIMEOUT={shown(text)}: must be a number of seconds, such as {_PATIENCE:g}.")
    return SharedStore(url, read_only=flag in _YES, patience=float(text))


def _place(root: str, key: str) -> str:
    return f"{root.rstrip('/')}/{key[:2]}/{key}"


def _pack(key: str, folder: Path, names: Collection[str], target: Path) -> None:
    """Write the object of an artifact."""
    files = {}
    for name in sorted(names):
        with open_regular(folder, name) as source:
            digest = hashlib.sha256()
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
            files[name] = {"sha256": digest.hexdigest(), "bytes": source.tell()}
    with target.open("wb") as out:
        out.write(json.dumps({"key": key, "files": files}, sort_keys=True).encode() + b"\n")
        for name in files:
            with open_regular(folder, name) as source:
                while chunk := source.read(_CHUNK):
                    out.write(chunk)


def _header(source: BinaryIO, key: str, names: Collection[str]) -> dict[str, tuple[str, int]]:
    """SHA-256 and length in bytes of each of the files ``names``, in the order in which they follow.

    Raises:
        _DamagedError: it cannot be read, or is that of another artifact or of other files.
    """
    line = source.readline(_LONGEST_HEADER)
    try:
        header = json.loads(line)
        files = header["files"]
        if header["key"] == key and files.keys() == set(names):
            found = {name: (str(files[name]["sha256"]), int(files[name]["bytes"])) for name in sorted(names)}
            if all(length >= 0 for _, length in found.values()):
                return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    raise _DamagedError


def _exactly(source: BinaryIO, length: int) -> Iterator[bytes]:
    """The next ``length`` bytes.

    Raises:
        _DamagedError: there are fewer.
    """
    while length:
        chunk = source.read(min(_CHUNK, length))
        if not chunk:
            raise _DamagedError
        length -= len(chunk)
        yield chunk
