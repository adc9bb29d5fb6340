"""The C hooks of the emulator, compiled by every process that emulates, for the machine that it runs on.

Nothing compiled is kept: what is loaded into a process must come from this checkout's source, and not from a folder
that others may write to or that may be damaged. It takes a quarter of a second.
"""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError
from mcubuild.lifeline import tied
from mcubuild.toolchain.environment import environment

_FLAGS = ("-O2", "-std=c99", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror")
"""Without a C library: zig would first compile its own, which takes ten seconds."""


@cache
def load(name: str) -> ctypes.CDLL:
    """The shared library compiled from ``mcubuild/measure/<name>.c``.

    Raises:
        BuildError: the compiler fails, or the system does not load what lies in its folder for temporary files.
    """
    source = Path(__file__).with_name(f"{name}.c")
    # Loaded code stays when its file goes.
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        _compile(source, library)
        try:
            return ctypes.CDLL(str(library))
        except OSError as error:
            raise BuildError(
                f"{library}: the emulator's hooks cannot be loaded ({error}); if programs may not run from that "
                f"folder, name another: TMPDIR=<folder>."
            ) from None


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
    import ziglang

    command = [str(Path(ziglang.__file__).with_name("zig")), "cc", *_FLAGS, str(source), "-o", str(library)]
    # Not in zig's cache, which is a place for compiled code, too.
    caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(library.with_name("cache")))
    result = subprocess.run(
        command,
        env=environment(**caches),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        preexec_fn=tied(),
    )
    if result.returncode != 0:
        raise BuildError(
            f"{source}: the emulator's hooks cannot be compiled for this machine "
            f"(zig cc ended with {result.returncode}); reinstall the wheel 'ziglang'.",
            *result.stderr.expandtabs(4).strip().split("\n"),
        )
