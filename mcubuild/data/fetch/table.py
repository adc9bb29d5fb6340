"""The files of data sets that can be fetched, and what each of them must be: ``archives.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomli

_TABLE = Path(__file__).with_name("archives.toml")


@dataclass(frozen=True)
class Archive:
    """A file that a publisher offers."""

    name: str
    """Of the file, in the folder of the kind."""
    url: str
    size: int
    """In bytes, as it is fetched."""
    sha256: str
    """In hexadecimal, of the file as it is fetched."""
    packed: bool = False
    """Whether it is compressed by gzip and unpacked once it has been verified."""


@cache
def published(kind: str) -> Mapping[str, Archive]:
    """The files of a ``kind`` of data set by name; none where it has none that anybody may fetch."""
    return {file["name"]: Archive(**file) for file in _table().get(kind, {"files": []})["files"]}


def account(kind: str) -> str | None:
    """The page that says how to get a ``kind`` of data set of which nobody may fetch anything without an account."""
    page: str | None = _table().get(kind, {}).get("account")
    return page


@cache
def _table() -> dict[str, Any]:
    return tomli.loads(_TABLE.read_text(encoding="utf-8"))
