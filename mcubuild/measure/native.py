"""The C hooks of the emulator."""

import ctypes
from pathlib import Path
from typing import Any

from mcubuild import native


def load(name: str) -> ctypes.CDLL:
    """The shared library compiled from ``mcubuild/measure/<name>.c``.

    Raises:
        BuildError: the compiler fails, or the store cannot be written.
    """
    return native.load(Path(__file__).with_name(f"{name}.c"), "-O2")


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
