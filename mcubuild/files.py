"""Files where others write, too, or where a crash may have left anything: read if they are regular, replaced whole."""

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mcubuild.errors import tell

_QUIETLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""No link is followed, and a pipe that nobody writes to is not waited for."""


def open_regular(folder: Path, name: str) -> BinaryIO:
    """The regular file ``name`` below ``folder``, for reading; nothing from the folder on is a link.

    Args:
        folder: where to start.
        name: a relative path in its normal form, with slashes.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no regular file, or the name is not of that form.
    """
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or parts[0] == "/" or ".." in parts or "\0" in name:
        raise ValueError(f"{name!r} is no relative path in normal form")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _QUIETLY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _QUIETLY, dir_fd=at)
            os.close(at)
            at = inner
        file = os.open(parts[-1], os.O_RDONLY | _QUIETLY, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ValueError(f"{folder / name} is no regular file")
    return os.fdopen(file, "rb")


def discard(path: Path) -> None:
    """Remove whatever is at ``path``, if anything; of a link what it leads to stays.

    A folder that holds what belongs to another user is put aside under another name.

    Raises:
        OSError: the folder that it lies in cannot be changed.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    aside = path.with_name(f".discarded-{path.name}-{os.getpid()}")
    path.rename(aside)
    with suppress(PermissionError):
        aside.chmod(0o700)
        for place, folders, _ in os.walk(aside):
            for folder in folders:
                if not Path(place, folder).is_symlink():
                    Path(place, folder).chmod(0o700)
    shutil.rmtree(aside, ignore_errors=True)


def replaced(path: Path) -> None:
    """Discard what is at ``path``, as something else must be, and say so.

    Raises:
        OSError: the folder that it lies in cannot be changed.
    """
    tell(f"{path} is damaged; it is removed and made again.")
    discard(path)


def open_lock(path: Path) -> int:
    """Descriptor of the file ``path`` for reading and writing, made if missing, in place of anything else of that name.

    Raises:
        OSError: the folder that it lies in cannot be changed.
    """
    if not path.is_symlink() and path.is_file() and not os.access(path, os.R_OK | os.W_OK):
        with suppress(OSError):
            path.chmod(0o644)  # who holds it holds this very file, so it stays
    flags = os.O_RDWR | os.O_CREAT | _QUIETLY
    try:
        file = os.open(path, flags, 0o666)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EACCES):
            raise
    replaced(path)
    return os.open(path, flags, 0o666)


def make_folder(folder: Path) -> None:
    """Make ``folder``, in place of anything else of that name, such as a link."""
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        replaced(folder)
    folder.mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write beside ``path`` and rename, so that there is never half a file; whatever is in the way is discarded."""
    fresh = path.with_name(f"{path.name}.new")
    discard(fresh)
    with fresh.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.is_dir() and not path.is_symlink():
        discard(path)
    fresh.replace(path)
