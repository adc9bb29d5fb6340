"""Checkpoints: what a long job has done so far, in a file that a later run goes on from.

What is damaged would not stop that run but change its result, so the content's hash stands before it. The checkpoint
before the latest is kept, too: damage costs as much work as lies between two of them, and never the result.
"""

import hashlib
import os
import re
from pathlib import Path

from mcubuild.errors import tell
from mcubuild.files import discard, make_folder, open_regular, write_whole

_HEADER = re.compile(rb"([0-9a-f]{64}) (\d{20})\n")
"""SHA-256 and length of the content."""
_LENGTH = 64 + 1 + 20 + 1
"""Bytes of the header."""
_NAMES = 3
"""Names at the end of a path that say whose checkpoint it is: the job's key is one of them. They are hashed, too, so
that a checkpoint of another job, or of another part of the job, counts as damaged."""


def save(path: Path, content: bytes) -> None:
    """Make ``content`` the latest checkpoint at ``path``; a run that is killed meanwhile finds this one or the last.

    Raises:
        OSError: it cannot be written.
    """
    make_folder(path.parent)
    fresh = path.with_name(f"{path.name}.next")
    write_whole(fresh, b"%b %020d\n%b" % (_digest(path, content), len(content), content))
    if os.path.lexists(path):
        discard(_before(path))
        path.rename(_before(path))
    fresh.rename(path)


def restore(path: Path) -> bytes | None:
    """The latest checkpoint at ``path`` that is sound; None if there is none. Damaged ones are removed with a line.

    Raises:
        OSError: a damaged one cannot be removed.
    """
    make_folder(path.parent)
    content, damaged = None, False
    for candidate in (path, _before(path)):
        if content is None and os.path.lexists(candidate):
            content = _verified(candidate, path)
            if content is None:
                discard(candidate)
                damaged = True
    if damaged:
        source = "the start" if content is None else "the one before"
        tell(f"checkpoint {path} is damaged and removed; going on from {source}.")
    return content


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def _verified(candidate: Path, path: Path) -> bytes | None:
    """The content of the checkpoint in the file ``candidate``; None if it is not what was saved at ``path``."""
    try:
        with open_regular(candidate.parent, candidate.name) as file:
            header = _HEADER.fullmatch(file.read(_LENGTH))
            if header is None or os.fstat(file.fileno()).st_size != _LENGTH + int(header[2]):
                return None
            content = file.read()
    except (OSError, ValueError):
        return None
    return content if _digest(path, content) == header[1] else None


def _digest(path: Path, content: bytes) -> bytes:
    """In hexadecimal."""
    digest = hashlib.sha256(os.fsencode("\0".join(path.parts[-_NAMES:])) + b"\0")
    digest.update(content)
    return digest.hexdigest().encode()
