"""C that mcubuild itself runs, compiled on first use for the machine that it runs on."""

import ctypes
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from mcubuild.errors import BuildError
from mcubuild.store import default_root, disk_errors

_FLAGS = ("-std=c99", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror")
"""Without a C library: zig would first compile its own, which takes ten seconds."""


@cache
def load(source: Path, *flags: str) -> ctypes.CDLL:
    """The shared library compiled from the C file ``source``.

    It lies beside the store's artifacts under a name that holds a hash of source, flags, compiler version and machine.
    Each process compiles into a file of its own and renames it, so that concurrent builds never see half a library.

    Args:
        source: must need no other file, and no library.
        flags: of the compiler: optimisation, processor.

    Raises:
        BuildError: the compiler fails, or the folder cannot be written.
    """
    version = importlib.metadata.version("ziglang")
    identity = (source.read_text(encoding="utf-8"), *_FLAGS, *flags, version, platform.system(), platform.machine())
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    library = default_root() / "hooks" / f"{source.stem}-{key}.so"
    if not library.exists():
        _compile(source, flags, library)
    return ctypes.CDLL(str(library))


def _compile(source: Path, flags: tuple[str, ...], library: Path) -> None:
    with disk_errors(library.parent):
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            fresh = Path(folder) / library.name
            command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *flags, str(source), "-o", str(fresh)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise BuildError(
                    f"{source}: cannot be compiled for this machine "
                    f"(python -m ziglang cc ended with {result.returncode}); reinstall the wheel 'ziglang'.\n"
                    f"{result.stderr.strip()}"
                )
            fresh.replace(library)
