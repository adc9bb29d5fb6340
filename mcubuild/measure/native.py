"""The C hooks of the emulator, compiled on first use for the machine that mcubuild runs on."""

import ctypes
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError
from mcubuild.lifeline import tied
from mcubuild.store import default_root, disk_errors

_FLAGS = ("-O2", "-std=c99", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror")
"""Without a C library: zig would first compile its own, which takes ten seconds."""


@cache
def load(name: str) -> ctypes.CDLL:
    """The shared library compiled from ``mcubuild/measure/<name>.c``.

    It lies beside the store's artifacts under a name that holds a hash of source, flags, compiler version and machine.
    Each process compiles into a file of its own and renames it, so that concurrent builds never see half a library.

    Raises:
        BuildError: the compiler fails, or the folder cannot be written.
    """
    source = Path(__file__).with_name(f"{name}.c")
    version = importlib.metadata.version("ziglang")
    identity = (source.read_text(encoding="utf-8"), *_FLAGS, version, platform.system(), platform.machine())
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    library = default_root() / "hooks" / f"{name}-{key}.so"
    if not library.exists():
        _compile(source, library)
    return ctypes.CDLL(str(library))


def hook(uc: Any, kind: int, function: Any, state: ctypes.Structure) -> None:
    """Let a unicorn engine call a C function for every event of one kind, with ``state`` as the last argument.

    Args:
        uc: the engine (``unicorn.Uc``). Code that it has already translated is not hooked.
        kind: ``UC_HOOK_...``.
        function: from a library of ``load``.
        state: must live as long as the engine runs.
    """
    from unicorn import unicorn_const
    from unicorn.unicorn_py3.unicorn import uclib

    everywhere = ctypes.c_uint64(1), ctypes.c_uint64(0)  # begin > end
    address, data = (ctypes.cast(x, ctypes.c_void_p) for x in (function, ctypes.byref(state)))
    status = uclib.uc_hook_add(uc._uch, ctypes.byref(ctypes.c_size_t()), kind, address, data, *everywhere)
    if status != unicorn_const.UC_ERR_OK:
        raise RuntimeError(f"unicorn refuses a hook of kind {kind}: error {status}")


def _compile(source: Path, library: Path) -> None:
    with disk_errors(library.parent):
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            fresh = Path(folder) / library.name
            command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, str(source), "-o", str(fresh)]
            result = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=tied())
            if result.returncode != 0:
                raise BuildError(
                    f"{source}: the emulator's hooks cannot be compiled for this machine "
                    f"(python -m ziglang cc ended with {result.returncode}); reinstall the wheel 'ziglang'.\n"
                    f"{result.stderr.strip()}"
                )
            fresh.replace(library)
