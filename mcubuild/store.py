"""Content-addressed artifacts: what a stage made from given inputs, kept for every spec, branch and checkout.

    <root>/artifacts/<key[:2]>/<key>/manifest.json    names, lengths and SHA-256 of the files
    <root>/artifacts/<key[:2]>/<key>/files/...        the files
    <root>/work/<key>/                                checkpoints of a stage that has not finished
    <root>/locks/<key>                                held while a stage runs

An entry appears by renaming a complete folder, so a crash never leaves half of one; reading verifies every checksum.
Others may write to a store, too, so nothing in it is trusted: which files an entry has says who asks for it, and the
manifest only lengths and checksums; nothing is read through links; whatever is not as it must be is removed and made
again.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mcubuild.errors import BuildError
from mcubuild.files import discard, make_folder, open_lock, open_regular, replaced

_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 20


def default_root() -> Path:
    """``$MCUBUILD_STORE``, or ``mcubuild`` in the user's cache folder (``$XDG_CACHE_HOME``, ``~/.cache``).

    Raises:
        BuildError: there is no home that either begins in.
    """
    try:
        if chosen := os.environ.get("MCUBUILD_STORE"):
            return Path(chosen).expanduser().resolve()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcubuild"
    except RuntimeError as error:
        raise BuildError(f"there is no place for the store ({error}); name one: MCUBUILD_STORE=<folder>.") from None


def digest_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_chunks(chunks: Iterable[bytes], target: Path) -> str:
    """Write ``chunks`` to the file ``target``; their SHA-256."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def digest_json(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn "disk full" and "not writable" below ``path`` into one clear message.

    Raises:
        BuildError: the disk or quota is full, or ``path`` cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BuildError(
                f"the disk is full, that of the store ({path}) or that of build/; nothing half-written was kept. Free "
                f"some space, or move the store with MCUBUILD_STORE=<folder>, and run the same command again."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise BuildError(
                f"{error.filename or path}: cannot be written ({error.strerror}). Make the folder writable, "
                f"or move the store with MCUBUILD_STORE=<folder>."
            ) from None
        raise


class _DamagedError(Exception):
    """An entry is not what was put there."""


class Store:
    """The artifacts below ``root``. Safe to use from several processes and checkouts at once."""

    def __init__(self, root: Path | None = None) -> None:
        """Make the folder.

        Raises:
            BuildError: that is not possible.
        """
        self.root = root or default_root()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BuildError(
                f"{self.root}: the store cannot be made there ({error.strerror}); name a folder that can be made and "
                f"written: MCUBUILD_STORE=<folder>."
            ) from None

    def _folder(self, name: str) -> Path:
        """The folder ``name`` of the store, made if missing.

        Raises:
            BuildError: something else has that name.
        """
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise BuildError(
                f"{folder}: must be a folder, of the store. Remove what is there, or move the store with "
                f"MCUBUILD_STORE=<folder>."
            ) from None
        return folder

    def _entry(self, key: str) -> Path:
        return self.root / "artifacts" / key[:2] / key

    def work(self, key: str) -> Path:
        """Folder for the checkpoints of the stage ``key``; it outlives a killed run."""
        folder = self._folder("work") / key
        make_folder(folder)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            replaced(folder)
            make_folder(folder)
        return folder

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the right to make ``key``; calls ``waiting`` once if another process holds it."""
        path = self._folder("locks") / key
        with os.fdopen(open_lock(path), "rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def put(self, key: str, folder: Path, names: Collection[str]) -> None:
        """Keep the files ``names`` of ``folder`` as the artifact ``key``, then forget its checkpoints.

        Whoever calls this holds the lock of ``key``.
        """
        self._folder("artifacts")
        entry = self._entry(key)
        make_folder(entry.parent)
        fresh = entry.with_name(f".new-{key}")
        discard(fresh)  # of a run that was killed
        try:
            files = {}
            for name in sorted(names):
                with open_regular(folder, name) as source:
                    digest = write_chunks(iter(partial(source.read, _CHUNK), b""), fresh / "files" / name)
                    files[name] = {"sha256": digest, "bytes": source.tell()}
            (fresh / "manifest.json").write_text(json.dumps({"files": files}, indent=1, sort_keys=True))
            discard(entry)
            fresh.rename(entry)
        except BaseException:
            discard(fresh)
            raise
        discard(self.root / "work" / key)

    def contents(self, key: str, names: Collection[str]) -> dict[str, str] | None:
        """SHA-256 of the files ``names`` of the artifact ``key``, as its manifest says; None if it is not there."""
        try:
            return {name: digest for name, (digest, _) in _manifest(self._entry(key), names).items()}
        except _DamagedError:
            return None

    def fetch(self, key: str, folder: Path, names: Collection[str]) -> bool:
        """Copy the artifact ``key`` into the empty ``folder``; False if it is not there or is damaged.

        A damaged entry is removed with a warning, so that the stage runs again.

        Args:
            key: of the artifact.
            folder: where to.
            names: of the files that it must have; no others are read, and none are written.
        """
        entry = self._entry(key)
        if not os.path.lexists(entry):
            return False
        try:
            for name, (digest, length) in _manifest(entry, names).items():
                if write_chunks(_chunks(entry, f"files/{name}", length), folder / name) != digest:
                    raise _DamagedError
        except _DamagedError:
            replaced(entry)
            discard(folder)
            folder.mkdir()
            return False
        with suppress(OSError):  # a store that is only read
            os.utime(entry / "manifest.json")
        return True

    def entries(self) -> list["Entry"]:
        """All artifacts and checkpoints, those that were longest unused first."""
        found = [
            _entry_at(path, path.name)
            for path in (self.root / "artifacts").glob("*/*")
            if path.is_dir() and not path.is_symlink() and not path.name.startswith(".discarded-")
        ]
        found += [_entry_at(path, path.name) for path in (self.root / "work").glob("*")]
        return sorted(filter(None, found), key=lambda entry: (entry.used, entry.key))

    def remove(self, entry: "Entry") -> bool:
        """Remove an artifact or checkpoints; False if a build is working with them."""
        with suppress(BlockingIOError), self._hold(entry.key):
            discard(entry.path)
            return True
        return False

    def check(self, entry: "Entry") -> bool | None:
        """Whether an artifact is what was put there; one that is not is removed. None if a build is working with it."""
        with suppress(BlockingIOError), self._hold(entry.key):
            if not entry.path.is_dir():
                return True  # it has gone meanwhile
            if entry.path == self._entry(entry.key) and _is_sound(entry.path):
                return True
            discard(entry.path)
            return False
        return None

    @contextmanager
    def _hold(self, key: str) -> Iterator[None]:
        """The right to make ``key``.

        Raises:
            BlockingIOError: another process has it.
        """
        with os.fdopen(open_lock(self._folder("locks") / key), "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield


@dataclass(frozen=True)
class Entry:
    """An artifact of the store, or the checkpoints of one that is not finished."""

    key: str
    path: Path
    bytes: int
    used: float
    """When it was made or fetched last: seconds since 1970."""

    @property
    def is_artifact(self) -> bool:
        """Whether it is one, and no checkpoints."""
        return self.path.parent.name != "work"


def _entry_at(path: Path, name: str) -> Entry | None:
    """What is in the folder ``path``; None if it has gone meanwhile."""
    size, used = 0, 0.0
    try:
        for folder, _, files in os.walk(path):
            for file in files:
                status = os.lstat(os.path.join(folder, file))  # noqa: PTH118 (there are many)
                size, used = size + status.st_size, max(used, status.st_mtime)
        used = used or path.stat().st_mtime
    except FileNotFoundError:
        return None
    return Entry(name.removeprefix(".new-"), path, size, used)


def _is_sound(entry: Path) -> bool:
    """Whether every file of an entry has the SHA-256 that its manifest says, and there are no others."""
    try:
        names = {
            path.relative_to(entry / "files").as_posix() for path in (entry / "files").rglob("*") if path.is_file()
        }
        for name, (digest, length) in _manifest(entry, names).items():
            found = hashlib.sha256()
            for chunk in _chunks(entry, f"files/{name}", length):
                found.update(chunk)
            if found.hexdigest() != digest:
                return False
    except (_DamagedError, OSError):
        return False
    return True


def _manifest(entry: Path, names: Collection[str]) -> dict[str, tuple[str, int]]:
    """The SHA-256 and the length in bytes of each of the files ``names`` of an entry.

    Raises:
        _DamagedError: it cannot be read, or is about other files.
    """
    text = b"".join(_chunks(entry, "manifest.json"))
    try:
        files = json.loads(text)["files"]
        if files.keys() == set(names):
            return {name: (str(files[name]["sha256"]), int(files[name]["bytes"])) for name in names}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    raise _DamagedError


def _chunks(entry: Path, name: str, length: int | None = None) -> Iterator[bytes]:
    """The content of a file of an entry, of ``length`` bytes, or of no more than a manifest has.

    Raises:
        _DamagedError: it is missing, is no regular file, has another length or cannot be read.
    """
    try:
        with open_regular(entry, name) as file:
            found = os.fstat(file.fileno()).st_size
            if found > _LONGEST_MANIFEST if length is None else found != length:
                raise _DamagedError
            while chunk := file.read(_CHUNK):
                yield chunk
    except (OSError, ValueError):
        raise _DamagedError from None
