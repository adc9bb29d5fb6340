"""What doit remembers of its tasks: by the content of files, and checked as it is read."""

import json
import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from doit.dependency import FileChangedChecker, JSONCodec
from doit.globals import Globals

from mcubuild.errors import tell
from rules.known import FILES, remove_database
from rules.stage import BUILD


class ByContent(FileChangedChecker):  # type: ignore[misc]
    """An artifact has changed if its SHA-256 has, whatever its times say, and code if it means something else."""

    def info(self, file_path: str) -> str:
        """The content of an artifact as it is now, of code as this process has loaded it."""
        return FILES.digest(file_path) if file_path.startswith(f"{BUILD}/") else _code(file_path)

    def check_modified(self, file_path: str, file_stat: str, state: str) -> bool:
        """Whether the file's content, ``file_stat`` from ``info``, is another than ``state``."""
        return file_stat != state

    def get_state(self, dep: str, current_state: str | None) -> str | None:
        """The content of a file, or None if it is ``current_state``."""
        found = self.info(dep)
        return None if found == current_state else found


@cache
def _code(path: str) -> str:
    (meaning,) = FILES.meanings([path])
    return meaning


class Checked(JSONCodec):  # type: ignore[misc]
    """JSON behind its checksum."""

    def encode(self, data: Any) -> str:
        """What to write."""
        text = json.dumps(data)
        return _checksum(text.encode()) + text

    def decode(self, data: str) -> Any:
        """What was written; ``mend`` has seen that it is sound."""
        return json.loads(data[_WIDTH:])


_WIDTH = 8


def _checksum(data: bytes) -> str:
    return f"{crc32(data):0{_WIDTH}x}"


def _is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            return not path.is_symlink()  # a build was stopped before it remembered anything; no link is ever made
        for (data,) in connection.execute("SELECT CAST(task_data AS BLOB) FROM doit"):
            if data[:_WIDTH] != _checksum(data[_WIDTH:]).encode():
                return False
    return True


def mend(path: Path) -> None:
    """Remove doit's memory if it is damaged; the store is then asked about everything again."""
    if not os.path.lexists(path):  # a link may lead to nothing
        return
    try:
        if _is_sound(path):
            return
    except (sqlite3.Error, TypeError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return
    tell(f"{path} is damaged or of another version; the store is asked about everything again.")
    remove_database(path)


def forget_success() -> None:
    """Let this run of doit write nothing: another one may be writing, and what only reads leaves nothing to know."""
    manager = Globals.dep_manager
    manager.save_success = manager.remove_success = lambda task: None
