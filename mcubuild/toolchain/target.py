"""What each compiler has to be told about a core."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mcubuild.board import Board

ToolchainName = Literal["zig", "gcc"]

_ZIG_CORES = {
    "cortex-m0plus": "cortex_m0plus",
    "cortex-m3": "cortex_m3",
    "cortex-m4": "cortex_m4",
    "cortex-m7": "cortex_m7",
    "cortex-m33": "cortex_m33",
}
_ZIG_FPUS = {"fpv4-sp-d16": "vfp4d16sp", "fpv5-sp-d16": "fp_armv8d16sp", "fpv5-d16": "fp_armv8d16"}


def target_flags(toolchain: ToolchainName, board: "Board") -> tuple[str, ...]:
    """Flags that select core, DSP extension, floating-point unit and calling convention of ``board``.

    Floating-point arguments are passed in registers where there is an FPU (hard float), else in integer registers.
    """
    if toolchain == "zig":
        return _zig_flags(board)
    core = board.core + ("+nodsp" if board.core == "cortex-m33" and not board.dsp else "")
    if board.fpu == "none":
        return ("-mthumb", f"-mcpu={core}", "-mfloat-abi=soft")
    return ("-mthumb", f"-mcpu={core}", "-mfloat-abi=hard", f"-mfpu={board.fpu}")


def _zig_flags(board: "Board") -> tuple[str, ...]:
    """Zig ignores -mfpu; -mcpu has to name every feature: ``cortex_m4`` alone has no FPU, ``cortex_m33`` no DSP."""
    core = _ZIG_CORES[board.core]
    if board.core == "cortex-m33" and board.dsp:
        core += "+dsp"
    if board.fpu == "none":
        return ("-target", "thumb-freestanding-eabi", f"-mcpu={core}")
    return ("-target", "thumb-freestanding-eabihf", f"-mcpu={core}+{_ZIG_FPUS[board.fpu]}")
