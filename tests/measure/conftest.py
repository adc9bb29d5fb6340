"""Small firmwares, compiled for the tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mcubuild.board import Board, CoreName, read_board
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain.target import ToolchainName
from tests.toolchains import TOOLCHAINS

FOLDER = Path(__file__).parent / "firmware"
Build = Callable[..., Path]


def link(model: Path, core: CoreName, folder: Path, toolchain: ToolchainName) -> Path:
    """The ELF of startup.c and a model, made in ``folder`` by the commands that make every firmware."""
    own = folder / "c" / "firmware"
    own.mkdir(parents=True)
    shutil.copyfile(FOLDER / "startup.c", own / "startup.c")
    shutil.copyfile(FOLDER / "link.ld", own / "linker.ld")
    for name in ("clock.c", "main.c"):  # startup.c sets no clock and is its own main
        (own / name).touch()
    shutil.copyfile(model, folder / "c" / f"model{model.suffix}")
    compiling.link(folder / "c", board(core), FirmwareSettings(toolchain=toolchain), folder)
    return folder / "firmware.elf"


@pytest.fixture(scope="session", params=TOOLCHAINS)
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles startup.c with a model: ``build("model.c")``, or ``build(assembly="...")`` for a layer's body."""
    done: dict[tuple[str, ...], Path] = {}

    def build_once(model: str = "", core: CoreName = "cortex-m4", assembly: str = "") -> Path:
        key = (model, core, assembly)
        if key not in done:
            folder = tmp_path_factory.mktemp("firmware")
            source = FOLDER / model
            if assembly:
                source = folder / "layer.S"
                source.write_text(_WRAPPER.format(body=assembly))
            done[key] = link(source, core, folder, request.param)
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


def board(core: CoreName) -> Board:
    """An STM32F412 with another core, and what such cores have beside it."""
    fpu = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-sp-d16"}.get(core, "none")
    dsp = core not in ("cortex-m0plus", "cortex-m3")
    return read_board("stm32f412").model_copy(update={"core": core, "fpu": fpu, "dsp": dsp})
