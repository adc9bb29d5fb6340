"""[firmware]: compiler and flags."""

from typing import Literal

from pydantic import Field

from mcubuild.quantities import Bytes
from mcubuild.settings import Settings


class FirmwareSettings(Settings):
    """How the generated C becomes an ELF."""

    toolchain: Literal["zig", "gcc"] = "zig"
    """``zig``: the clang that pip installs. ``gcc``: the ``arm-none-eabi-gcc`` on the PATH."""
    optimize: Literal["O3", "O2", "Os"] = "O2"
    """The compiler's optimisation level."""
    stack: Bytes = Field(default=2048, ge=256, multiple_of=32, validate_default=True)
    """RAM that the linker reserves for the stack, a multiple of 32 bytes; its high-water mark is measured."""
