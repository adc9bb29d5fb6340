"""The C hooks of the emulator, compiled on first use for the machine that mcubuild runs on."""

import ctypes
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from mcubuild.errors import BuildError

_FLAGS = ("-O2", "-std=c99", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")


@cache
def load(name: str) -> ctypes.CDLL:
    """The shared library compiled from ``mcubuild/measure/<name>.c``.

    It lies in the user's cache folder under a name that holds a hash of source, flags, compiler version and machine.
    Each process compiles into a file of its own and renames it, so that concurrent builds never see half a library.

    Raises:
        BuildError: the compiler fails.
    """
    source = Path(__file__).with_name(f"{name}.c")
    version = importlib.metadata.version("ziglang")
    identity = (source.read_text(encoding="utf-8"), *_FLAGS, version, platform.system(), platform.machine())
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    library = _cache_folder() / f"{name}-{key}.so"
    if not library.exists():
        _compile(source, library)
    return ctypes.CDLL(str(library))


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mcubuild"


def _compile(source: Path, library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            fresh = Path(folder) / library.name
            command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, str(source), "-o", str(fresh)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise BuildError(
                    f"{source}: the emulator's counter cannot be compiled for this machine "
                    f"(python -m ziglang cc ended with {result.returncode}); reinstall the wheel 'ziglang'.\n"
                    f"{result.stderr.strip()}"
                )
            fresh.replace(library)
    except OSError as error:
        raise BuildError(
            f"{library.parent}: the emulator's counter cannot be stored here ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written."
        ) from None
