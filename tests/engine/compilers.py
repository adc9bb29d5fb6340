"""Compilers for the cores of other people's boards."""

from mcubuild.toolchain.compile import find, libc_flags
from mcubuild.toolchain.target import ToolchainName, target_flags
from tests.toolchain.handwritten import board_with

WARNINGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")
CORES = {
    "cortex-m0plus": board_with("cortex-m0plus"),
    "cortex-m3": board_with("cortex-m3"),
    "cortex-m4 without FPU": board_with("cortex-m4", fpu="none"),
    "cortex-m4": board_with("cortex-m4"),
    "cortex-m7": board_with("cortex-m7"),
    "cortex-m33": board_with("cortex-m33"),
    "cortex-m33 without DSP": board_with("cortex-m33", dsp=False),
}


def compiler(toolchain: ToolchainName, core: str) -> list[str]:
    """How to call the compiler for a core or for this machine ("host")."""
    if core == "host":
        return [*find("zig").command] if toolchain == "zig" else ["gcc"]
    command = [*find(toolchain).command, *target_flags(toolchain, CORES[core])]
    return [*command, *libc_flags()] if toolchain == "zig" else command
