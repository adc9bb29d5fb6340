"""Small firmwares, compiled for the tests."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcubuild.board import Board, Core, read_board

FOLDER = Path(__file__).parent / "firmware"
Build = Callable[..., Path]

_ZIG_CPU = {
    "cortex-m0plus": "cortex_m0plus",
    "cortex-m3": "cortex_m3",
    "cortex-m4": "cortex_m4+vfp4d16sp",
    "cortex-m7": "cortex_m7+fp_armv8d16sp",
    "cortex-m33": "cortex_m33",
}


def compile_gcc(sources: list[Path], core: Core, elf: Path) -> None:
    hard = core in ("cortex-m4", "cortex-m7")
    float_unit = ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16" if core == "cortex-m4" else "-mfpu=fpv5-sp-d16"]
    command = ["arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", *(float_unit if hard else []), "-O2", "-ffreestanding"]
    command += ["-nostdlib", "-Wl,--no-warn-rwx-segments", "-T", str(FOLDER / "link.ld"), *map(str, sources)]
    subprocess.run([*command, "-lgcc", "-o", str(elf)], check=True, capture_output=True, text=True)


def compile_zig(sources: list[Path], core: Core, elf: Path) -> None:
    hard = "hf" if core in ("cortex-m4", "cortex-m7") else ""
    command = [sys.executable, "-m", "ziglang", "cc", "-target", f"thumb-freestanding-eabi{hard}"]
    command += [f"-mcpu={_ZIG_CPU[core]}", "-O2", "-g", "-ffreestanding", "-T", str(FOLDER / "link.ld")]
    command += ["-Wl,-e,Reset_Handler", *map(str, sources), "-o", str(elf)]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles startup.c with a model: ``build("model.c")``, or ``build(assembly="...")`` for a layer's body."""
    compile_firmware = compile_gcc if shutil.which("arm-none-eabi-gcc") else compile_zig
    done: dict[tuple[str, ...], Path] = {}

    def build_once(model: str = "", core: Core = "cortex-m4", assembly: str = "") -> Path:
        key = (model, core, assembly)
        if key not in done:
            folder = tmp_path_factory.mktemp("firmware")
            source = FOLDER / model
            if assembly:
                source = folder / "model.S"
                source.write_text(_WRAPPER.format(body=assembly))
            done[key] = folder / "firmware.elf"
            compile_firmware([FOLDER / "startup.c", source], core, done[key])
        return done[key]

    return build_once


_WRAPPER = """
    .syntax unified
    .thumb
    .text
    .global model_invoke, layer_00_asm
    .type model_invoke, %function
    .type layer_00_asm, %function
    .balign 8
model_invoke:
    push {{r4, lr}}
    bl layer_00_asm
    pop {{r4, pc}}
    .size model_invoke, . - model_invoke
    .balign 8
layer_00_asm:
{body}
    .balign 4
    .ltorg
    .size layer_00_asm, . - layer_00_asm
    .bss
    .balign 8
    .global model_input, model_output, buffer
    .type model_input, %object
    .type model_output, %object
    .size model_input, 16
    .size model_output, 4
model_input: .space 16
model_output: .space 4
    .balign 8
buffer: .space 4096
"""


def board(core: Core) -> Board:
    """An STM32F412 with another core."""
    return read_board("stm32f412").model_copy(update={"core": core})
