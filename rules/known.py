"""What files contain: known by hash, never by date.

Size, times, inode and device only vouch for a file that was hashed before, so that thousands of files need not be read
for a build with nothing to do; for all files of a folder at once, so that not even what is known of each need be. A
file of the same size and time that was put in place of another has another inode or another time of change (ctime),
which nobody can set.
"""

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from mcubuild.data.sources import entries
from mcubuild.errors import BuildError, tell
from mcubuild.progress import Bar, bar
from mcubuild.store import digest_file, digest_json
from rules.code import Code, read_code
from rules.stage import BUILD

_RACY_NS = 2_000_000_000
"""How long before it was hashed a file must have been left alone to be vouched for: a later change would otherwise be
able to leave all its times as they are. FAT, the coarsest, counts in 2 s."""
_TABLES = """
CREATE TABLE IF NOT EXISTS hashed (path TEXT PRIMARY KEY, vouch TEXT, digest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (digest TEXT PRIMARY KEY, text TEXT, checksum TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folders (path TEXT PRIMARY KEY, vouch TEXT, digest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    folder TEXT, name TEXT, vouch TEXT, digest TEXT, PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made (path TEXT PRIMARY KEY, digest TEXT, length INTEGER, key TEXT) WITHOUT ROWID;
"""


class Made(NamedTuple):
    """What a stage made."""

    digest: str
    """SHA-256 of the artifact."""
    length: int
    """In bytes."""
    key: str
    """The stage's action key."""


class _Scan(NamedTuple):
    """What is in a folder, without what is in its folders."""

    path: str
    files: Mapping[str, os.stat_result]
    """By name, in order."""
    folders: tuple[str, ...]
    vouch: str
    """Another one if anything of these changes."""


def _scanned(top: str) -> Iterator[_Scan]:
    """The folder ``top`` and all in it, in a fixed order.

    Raises:
        BuildError: one cannot be read, or a name is not UTF-8.
        OSError: a file is gone.
    """
    pending = [top]
    while pending:
        folder = pending.pop()
        files, folders = {}, list[str]()
        for entry in entries(folder):
            if entry.is_dir():
                folders.append(entry.name)
            else:
                files[entry.name] = entry.stat()
        seen = hashlib.blake2b(repr(folders).encode(), digest_size=16)
        seen.update("".join([f"{name}\0{_vouch(status)}\n" for name, status in files.items()]).encode())
        yield _Scan(folder, files, tuple(folders), seen.hexdigest())
        pending += [f"{folder}{os.sep}{name}" for name in reversed(folders)]


class Files:
    """The files that a checkout's builds read and write. Safe to use from several processes at once."""

    def __init__(self, path: Path | None) -> None:
        """Keep what is known in the file ``path``; None: nothing is kept, and every file is hashed when asked for."""
        self._path = path
        self._hashed: dict[str, tuple[str, str]] | None = None
        """Voucher and SHA-256 by path."""
        self._code = dict[str, Code]()
        """By SHA-256."""
        self._connections: dict[int, sqlite3.Connection] = {}
        """By process: SQLite's do not outlive a fork."""

    def digest(self, path: str | Path, status: os.stat_result | None = None) -> str:
        """SHA-256 of the file ``path``, in hexadecimal, or of the names and contents of all files below it if it is a
        folder, and of the names of its folders; what data sets pass over does not count. Links are followed.

        Args:
            path: the file.
            status: what ``os.stat`` has just said of it, if it has been asked.

        Raises:
            OSError: it cannot be read, or is neither a regular file nor a folder.
            BuildError: a folder in it cannot be read, or a name is not UTF-8.
        """
        name = str(path)
        digest, fresh = self._digest(name, status or Path(name).stat())
        if fresh:
            self._remember({name: fresh})
        return digest

    def digests(self, paths: Iterable[str | Path]) -> list[str]:
        """``digest`` of each of many files.

        Raises:
            OSError: of one of them.
        """
        found, all_fresh = [], {}
        for name in map(str, paths):
            digest, fresh = self._digest(name, os.stat(name))  # noqa: PTH116 (ten times as fast, and there are many)
            found.append(digest)
            if fresh:
                all_fresh[name] = fresh
        self._remember(all_fresh)
        return found

    def _digest(self, name: str, status: os.stat_result) -> tuple[str, tuple[str, str] | None]:
        """The digest, and what to remember of it if that is new."""
        if stat.S_ISDIR(status.st_mode):
            return self._tree(name), None
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "neither a file nor a folder", name)
        vouch = _vouch(status)
        known = self._known().get(name)
        if known and known[0] == vouch:
            return known[1], None
        now = time.time_ns()
        digest = digest_file(Path(name))
        still = Path(name).stat()
        if _vouch(still) == vouch and max(still.st_ctime_ns, still.st_mtime_ns) < now - _RACY_NS:
            return digest, (vouch, digest)
        return digest, None

    def code(self, path: str | Path) -> Code:
        """The Python file ``path``, parsed if no file of its content was before.

        Raises:
            OSError: it cannot be read.
        """
        digest = self.digest(path)
        if digest not in self._code:
            self._code[digest] = self._code_before(digest) or self._code_now(digest, Path(path))
        return self._code[digest]

    def meanings(self, paths: Iterable[str | Path]) -> list[str]:
        """What each of many files that a stage runs says to it: of Python's what they mean, of others their SHA-256.

        Raises:
            OSError: one of them cannot be read.
        """
        return [self.code(path).meaning if str(path).endswith(".py") else self.digest(path) for path in paths]

    def _code_before(self, digest: str) -> Code | None:
        if self._path is None:
            return None
        self._known()  # finds damage
        with suppress(sqlite3.Error):
            row = self._connection().execute("SELECT text, checksum FROM code WHERE digest = ?", [digest]).fetchone()
            if row and row[1] == digest_json([digest, row[0]]):
                meaning, *imports = json.loads(row[0])
                return Code(meaning, frozenset(imports))
        return None

    def _code_now(self, digest: str, path: Path) -> Code:
        found = read_code(path.read_bytes())
        if self._path is not None:
            text = json.dumps([found.meaning, *sorted(found.imports)])
            with suppress(sqlite3.Error):  # the next build parses again
                connection = self._connection()
                with connection:
                    row = (digest, text, digest_json([digest, text]))
                    connection.execute("INSERT OR REPLACE INTO code VALUES (?, ?, ?)", row)
        return found

    def _tree(self, top: str) -> str:
        """What ``digest`` gives for a folder."""
        scans = list(_scanned(top))
        found = {scan.path: known for scan in scans if (known := self._vouched(scan))}
        unknown = [scan for scan in scans if scan.path not in found]
        with bar(f"hash files in {top}", sum(len(scan.files) for scan in unknown)) as progress:
            for scan in unknown:
                found[scan.path] = self._hash(scan, progress)
        return listing({scan.path.removeprefix(top): found[scan.path] for scan in scans})

    def _vouched(self, scan: "_Scan") -> str | None:
        """The digest of a folder that is as it was when its files were hashed."""
        if self._path is None:
            return None
        self._known()
        row = (
            self._connection()
            .execute("SELECT digest FROM folders WHERE path = ? AND vouch = ?", [scan.path, scan.vouch])
            .fetchone()
        )
        return row[0] if row else None

    def _hash(self, scan: "_Scan", progress: Bar) -> str:
        """The digest of a folder, for which files are read that nothing vouches for."""
        members = self._members(scan.path)
        digests, vouched = dict.fromkeys(scan.folders, "folder"), True
        for name, status in scan.files.items():
            known = members.get(name)
            if not known or known[0] != _vouch(status):
                digest, fresh = self._digest(f"{scan.path}{os.sep}{name}", status)
                members[name] = fresh or ("", digest)
                vouched = vouched and fresh is not None
            digests[name] = members[name][1]
            progress.advance()
        digest = listing(digests)
        if self._path is not None:
            rows = [(scan.path, name, *members[name]) for name in scan.files if members[name][0]]
            with suppress(sqlite3.Error), (connection := self._connection()):  # the next build hashes again
                connection.execute("DELETE FROM members WHERE folder = ?", [scan.path])
                connection.execute("DELETE FROM folders WHERE path = ?", [scan.path])
                connection.executemany("INSERT INTO members VALUES (?, ?, ?, ?)", rows)
                if vouched:
                    connection.execute("INSERT INTO folders VALUES (?, ?, ?)", [scan.path, scan.vouch, digest])
        return digest

    def _members(self, folder: str) -> dict[str, tuple[str, str]]:
        """Voucher and SHA-256 of the files in ``folder`` that are known, by name."""
        if self._path is None:
            return {}
        rows = self._connection().execute("SELECT name, vouch, digest FROM members WHERE folder = ?", [folder])
        return {name: (vouch, digest) for name, vouch, digest in rows}

    def made(self, path: Path) -> Made | None:
        """What a stage made as the artifact ``path``; None if that is not known."""
        if self._path is None:
            return None
        self._known()  # finds damage
        row = self._connection().execute("SELECT digest, length, key FROM made WHERE path = ?", [str(path)]).fetchone()
        return Made(*row) if row else None

    def holds(self, path: Path, made: Made) -> bool:
        """Whether the artifact ``path`` is what a stage made."""
        try:
            status = path.stat()  # a file that has become endless is not read
            return status.st_size == made.length and self.digest(path, status) == made.digest
        except OSError:
            return False

    def record(self, made: Mapping[Path, Made]) -> None:
        """Keep what a stage made, by path.

        Raises:
            BuildError: it cannot be written.
        """
        if self._path is None:
            return
        rows = [(str(path), *one) for path, one in made.items()]
        self._known()
        try:
            connection = self._connection()
            with connection:
                connection.executemany("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise BuildError(f"{self._path}: cannot be written ({error}); remove it.") from None

    def prune(self) -> None:
        """Forget files that are gone, while no build is writing: data sets move, and specs get other names."""
        if self._path is None:
            return
        self._known()
        with suppress(sqlite3.Error):  # the next build prunes
            connection = self._connection()
            with connection:
                for table in ("hashed", "made", "folders"):
                    rows = connection.execute(f"SELECT path FROM {table}").fetchall()
                    gone = [row for row in rows if not os.path.exists(row[0])]  # noqa: PTH110 (there are many)
                    connection.executemany(f"DELETE FROM {table} WHERE path = ?", gone)
                connection.execute("DELETE FROM code WHERE digest NOT IN (SELECT digest FROM hashed)")
                connection.execute("DELETE FROM members WHERE folder NOT IN (SELECT path FROM folders)")

    def _remember(self, fresh: Mapping[str, tuple[str, str]]) -> None:
        if not fresh:
            return
        self._known().update(fresh)
        if self._path is not None:
            with suppress(sqlite3.Error, UnicodeEncodeError):  # the next build hashes again
                connection = self._connection()
                with connection:
                    rows = ((name, *known) for name, known in fresh.items())
                    connection.executemany("INSERT OR REPLACE INTO hashed VALUES (?, ?, ?)", rows)

    def _known(self) -> dict[str, tuple[str, str]]:
        if self._hashed is None:
            self._hashed = self._load()
        return self._hashed

    def _load(self) -> dict[str, tuple[str, str]]:
        if self._path is None:
            return {}
        try:
            return self._read()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                return {}
            tell(f"{self._path} is damaged; it is removed, and files are hashed again.")
            self._connections.clear()
            remove_database(self._path)
            return self._read()

    def _read(self) -> dict[str, tuple[str, str]]:
        connection = self._connection()
        connection.execute("SELECT count(digest), count(length), count(key) FROM made").fetchone()  # is it sound?
        rows = connection.execute("SELECT path, vouch, digest FROM hashed")
        return {path: (vouch, digest) for path, vouch, digest in rows if isinstance(digest, str)}

    def _connection(self) -> sqlite3.Connection:
        assert self._path is not None
        process = os.getpid()
        if process not in self._connections:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=30)
            connection.execute("PRAGMA synchronous = OFF")  # what a power cut damages is made again
            connection.executescript(_TABLES)
            self._connections[process] = connection
        return self._connections[process]


def remove_database(path: Path) -> None:
    """Remove a file of SQLite, its journal and whatever else has the name."""
    for name in (path, path.with_name(f"{path.name}-journal")):
        remove(name)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _vouch(status: os.stat_result) -> str:
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def listing(named: Mapping[str, str]) -> str:
    """One SHA-256 for many: of names and digests in the order in which they come."""
    digest = hashlib.sha256()
    for name, content in named.items():
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


FILES: Final = Files(BUILD / ".files.db")
"""Those of this checkout."""
