"""What each compiler has to be told about a core."""

from typing import TYPE_CHECKING, Literal

from mcubuild.cores.core import core_of

if TYPE_CHECKING:
    from mcubuild.board import Board

ToolchainName = Literal["zig", "gcc"]

_ZIG_FPUS = {"fpv4-sp-d16": "vfp4d16sp", "fpv5-sp-d16": "fp_armv8d16sp", "fpv5-d16": "fp_armv8d16"}


def target_flags(toolchain: ToolchainName, board: "Board") -> tuple[str, ...]:
    """Flags that select core, DSP extension, floating-point unit and calling convention of ``board``.

    Floating-point arguments are passed in registers where there is an FPU (hard float), else in integer registers.
    """
    if toolchain == "zig":
        return _zig_flags(board)
    core = board.core + ("+nodsp" if core_of(board.core).armv8m and not board.dsp else "")
    if board.fpu == "none":
        return ("-mthumb", f"-mcpu={core}", "-mfloat-abi=soft")
    return ("-mthumb", f"-mcpu={core}", "-mfloat-abi=hard", f"-mfpu={board.fpu}")


def _zig_flags(board: "Board") -> tuple[str, ...]:
    """Zig ignores -mfpu; -mcpu has to name every feature: ``cortex_m4`` alone has no FPU, ``cortex_m33`` no DSP."""
    known = core_of(board.core)
    core = f"{known.zig}+dsp" if known.armv8m and board.dsp else known.zig
    if board.fpu == "none":
        return ("-target", "thumb-freestanding-eabi", f"-mcpu={core}")
    return ("-target", "thumb-freestanding-eabihf", f"-mcpu={core}+{_ZIG_FPUS[board.fpu]}")
