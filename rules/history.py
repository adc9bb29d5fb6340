"""What earlier builds of a project were made from, how long their stages took, and which failed.

For ``plan``, ``why``, ``index`` and ``curve`` alone. Nothing is built by it, so whatever is wrong with it is removed,
and those know less.
"""

import ast
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError, NothingFitsError
from rules.known import remove_database
from rules.stage import BUILD

_TABLES = """
CREATE TABLE IF NOT EXISTS ingredients (key TEXT PRIMARY KEY, made TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS definitions (digest TEXT PRIMARY KEY, found TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (
    spec TEXT, stage TEXT, key TEXT, told TEXT, unfit INTEGER, PRIMARY KEY (spec, stage)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS durations (key TEXT PRIMARY KEY, seconds REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS times (stage TEXT, spec TEXT, seconds REAL, PRIMARY KEY (stage, spec)) WITHOUT ROWID;
"""


@dataclass
class Attempt:
    """One run of a stage, which may fail."""

    key: str | None = None
    """Its action key, as soon as that is known."""


class History:
    """The history in one file. Safe to use from several processes at once."""

    def __init__(self, path: Path = BUILD / ".history.db") -> None:
        self._path = path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_TABLES)
            with connection:
                yield connection

    def _ask(self, query: str, *values: object) -> list[Any]:
        try:
            with self._connection() as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN):
                with suppress(OSError):
                    remove_database(self._path)
            return []

    def note(self, key: str, ingredients: Mapping[str, Any], code: Mapping[str, Path]) -> None:
        """Keep what the action key ``key`` was made of, and the definitions in its ``code``, files by name."""
        digests = {ingredients["code"][name]: path for name, path in code.items() if path.suffix == ".py"}
        known = {digest for (digest,) in self._ask("SELECT digest FROM definitions")}
        for digest in digests.keys() - known:
            with suppress(OSError, SyntaxError, ValueError):
                found = json.dumps(definitions(digests[digest].read_text("utf-8")))
                self._ask("INSERT OR REPLACE INTO definitions VALUES (?, ?)", digest, found)
        self._ask("INSERT OR REPLACE INTO ingredients VALUES (?, ?)", key, json.dumps(ingredients))

    def ingredients(self, key: str) -> dict[str, Any] | None:
        """What ``key`` was made of, if that is known."""
        for (text,) in self._ask("SELECT made FROM ingredients WHERE key = ?", key):
            with suppress(ValueError):
                found: dict[str, Any] = json.loads(text)
                return found
        return None

    def definitions(self, digest: str) -> dict[str, str] | None:
        """The functions and classes of the source file with that SHA-256, by name, each as a digest; None: unknown."""
        for (text,) in self._ask("SELECT found FROM definitions WHERE digest = ?", digest):
            with suppress(ValueError):
                found: dict[str, str] = json.loads(text)
                return found
        return None

    @contextmanager
    def attempt(self, spec: str, stage: str) -> Iterator["Attempt"]:
        """Keep why the stage of a spec could not be made, until it is.

        Raises:
            BuildError: what is kept.
        """
        attempt = Attempt()
        try:
            yield attempt
        except BuildError as error:
            unfit = isinstance(error, NothingFitsError)
            values = (spec, stage, attempt.key, str(error), unfit)
            self._ask("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?, ?)", *values)
            raise
        self._ask("DELETE FROM refused WHERE spec = ? AND stage = ?", spec, stage)

    def failure(self, spec: str, stage: str, key: str | None) -> str | None:
        """Why the stage of the spec could not be made with that action key, when it was tried last; None: it was not.

        A stage whose key could not be found (a file that it reads is not there, say) has failed with None.
        """
        told = self._ask("SELECT told FROM refused WHERE spec = ? AND stage = ? AND key IS ?", spec, stage, key)
        return told[0][0] if told else None

    def unfit(self, spec: str, stage: str, key: str) -> bool:
        """Whether no network fitted, when the stage of the spec was tried last with that action key."""
        return bool(
            self._ask("SELECT 1 FROM refused WHERE spec = ? AND stage = ? AND key = ? AND unfit", spec, stage, key)
        )

    def took(self, stage: str, spec: str, key: str, seconds: float) -> None:
        """Keep how long the stage of a spec took, whose action key was ``key``."""
        self._ask("INSERT OR REPLACE INTO durations VALUES (?, ?)", key, seconds)
        self._ask("INSERT OR REPLACE INTO times VALUES (?, ?, ?)", stage, spec, seconds)

    def seconds(self, key: str) -> float | None:
        """How long it took to make what has the action key ``key``, if it was made here and in one go."""
        found = self._ask("SELECT seconds FROM durations WHERE key = ?", key)
        return found[0][0] if found else None

    def times(self, stage: str) -> dict[str, float]:
        """How long the stage took when it was made last, by spec, in seconds."""
        return dict(self._ask("SELECT spec, seconds FROM times WHERE stage = ?", stage))


def definitions(source: str) -> dict[str, str]:
    """Functions, methods and classes of a Python file by dotted name, and the rest as "", each as a digest of its code.

    Comments and layout do not count.

    Raises:
        SyntaxError: it is no Python.
    """
    found = dict[str, str]()

    def visit(node: ast.AST, prefix: str) -> None:
        rest = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{prefix}{child.name}"] = _digest(ast.dump(child))
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            else:
                rest.append(ast.dump(child))
        found[prefix.rstrip(".")] = _digest("\n".join(rest))

    visit(ast.parse(source), "")
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
