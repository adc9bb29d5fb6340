"""Content-addressed artifacts: what a stage made from given inputs, kept for every spec, branch and checkout.

    <root>/artifacts/<key[:2]>/<key>/manifest.json    names and SHA-256 of the files
    <root>/artifacts/<key[:2]>/<key>/files/...        the files
    <root>/work/<key>/                                checkpoints of a stage that has not finished
    <root>/locks/<key>                                held while a stage runs

An entry appears by renaming a complete folder, so a crash never leaves half of one; reading verifies every checksum.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mcubuild.errors import BuildError

_CHUNK = 1 << 20


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


def digest_file(path: Path, copy_to: Path | None = None) -> str:
    """SHA-256 of a file, in hexadecimal; optionally copies it in the same pass."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        if copy_to is None:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
        else:
            copy_to.parent.mkdir(parents=True, exist_ok=True)
            with copy_to.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
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
        if error.errno in (errno.EACCES, errno.EROFS):
            raise BuildError(
                f"{error.filename or path}: cannot be written ({error.strerror}). Make the folder writable, "
                f"or move the store with MCUBUILD_STORE=<folder>."
            ) from None
        raise


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

    def _entry(self, key: str) -> Path:
        return self.root / "artifacts" / key[:2] / key

    def work(self, key: str) -> Path:
        """Folder for the checkpoints of the stage ``key``; it outlives a killed run."""
        folder = self.root / "work" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the right to make ``key``; calls ``waiting`` once if another process holds it."""
        path = self.root / "locks" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def put(self, key: str, folder: Path) -> None:
        """Keep the files below ``folder`` as the artifact ``key``, then forget its checkpoints."""
        entry = self._entry(key)
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".new-") as temporary:
            files = {}
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    files[name] = digest_file(path, copy_to=Path(temporary) / "files" / name)
            (Path(temporary) / "manifest.json").write_text(json.dumps({"files": files}, indent=1, sort_keys=True))
            if entry.exists():
                shutil.rmtree(entry)
            Path(temporary).rename(entry)
            # TemporaryDirectory removes its folder on leaving; give it one to remove.
            Path(temporary).mkdir()
        shutil.rmtree(self.root / "work" / key, ignore_errors=True)

    def fetch(self, key: str, folder: Path) -> bool:
        """Copy the artifact ``key`` into the empty ``folder``; False if it is not there or is damaged.

        A damaged entry is removed with a warning, so that the stage runs again.
        """
        entry = self._entry(key)
        try:
            files: dict[str, str] = json.loads((entry / "manifest.json").read_text())["files"]
            sound = all(digest_file(entry / "files" / name, folder / name) == digest for name, digest in files.items())
        except FileNotFoundError:
            if not entry.exists():
                return False
            sound = False
        except (ValueError, KeyError):
            sound = False
        if not sound:
            print(f"  store entry {entry} is damaged; it is removed and made again.", file=sys.stderr)
            shutil.rmtree(entry, ignore_errors=True)
            shutil.rmtree(folder)
            folder.mkdir()
        return sound
