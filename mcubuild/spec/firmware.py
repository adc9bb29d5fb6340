"""[firmware]: compiler and flags."""

import re
from typing import Literal

from pydantic import Field, field_validator

from mcubuild.quantities import Bytes
from mcubuild.settings import Settings

_TAKEN = re.compile(
    "assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdatomic|"
    "stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath|threads|time|uchar|wchar|wctype|"  # headers of C11
    "main|startup|clock|uart|sample|classify|"  # files of the firmware around the network, and of exported examples
    "next|read"  # beginnings of other functions in the network's C
)


class FirmwareSettings(Settings):
    """How the generated C becomes an ELF."""

    toolchain: Literal["zig", "gcc"] = "zig"
    """``zig``: the clang that pip installs. ``gcc``: the ``arm-none-eabi-gcc`` on the PATH."""
    optimize: Literal["O3", "O2", "Os"] = "O2"
    """The compiler's optimisation level."""
    stack: Bytes = Field(default=2048, ge=256, multiple_of=32, validate_default=True)
    """RAM that the linker reserves for the stack, a multiple of 32 bytes; its high-water mark is measured."""
    prefix: str = "model"
    """What files and global names of the network's C begin with, so that several networks go into one firmware: with
    ``"kws"`` they are ``kws.h``, ``kws_run``, ``KWS_ARENA_BYTES``. At most 40 lower-case letters, digits and
    underscores."""

    @field_validator("prefix")
    @classmethod
    def _begins_names(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
            raise ValueError(
                f"found {value!r}; names in C are to begin with it: write at most 40 lower-case letters, digits and "
                'underscores, the first one a letter, as in "kws"'
            )
        if _TAKEN.fullmatch(value):
            raise ValueError(f'found {value!r}, which C or the firmware has already; write another word, as in "kws"')
        return value
