"""The environment of the programs that a build starts: compilers are told by command lines alone what to do.

Compilers read dozens of variables (CPATH, C_INCLUDE_PATH, CCC_OVERRIDE_OPTIONS, GCC_EXEC_PREFIX, SOURCE_DATE_EPOCH,
ZIG_LIB_DIR, ...) that would change the firmware's bytes though nothing that a key is made of has changed.
"""

import os

_KEPT = (
    "HOME",
    "PATH",
    "TEMP",
    "TMP",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "ZIG_GLOBAL_CACHE_DIR",
)
"""Where programs are, and where they may write what they could compute again."""


def environment(**changes: str) -> dict[str, str]:
    """What a program that a build starts gets to see: few of this process's variables, and ``changes``.

    Messages are in English, as some are looked for.
    """
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, "LC_ALL": "C", **changes}
