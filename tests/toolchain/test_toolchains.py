"""Finding compilers and telling them what a core has."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcubuild.errors import BuildError
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain.target import ToolchainName, target_flags
from tests.toolchain.building import build
from tests.toolchain.handwritten import CORES, FPUS, board_with, write_model
from tests.toolchain.plain_unicorn import Core


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No toolchain is remembered, before and after the test."""
    compiling.find.cache_clear()
    yield
    compiling.find.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_missing_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r"firmware\.toolchain: 'zig' .*'ziglang'.*pip install 'ziglang"):
        compiling.find("zig")


@pytest.mark.usefixtures("forgotten")
def test_missing_gcc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match=r"'gcc' .*arm-none-eabi-gcc on the PATH.*apt install.*\"zig\""):
        compiling.find("gcc")


def test_identities_hold_the_version(toolchain: ToolchainName) -> None:
    identity = compiling.find(toolchain).identity
    version = importlib.metadata.version("ziglang") if toolchain == "zig" else "."
    assert version in identity
    assert "/" not in identity  # two machines with one compiler agree


EXPECTED_FPU = {"none": 0x0, "fpv4-sp-d16": 0x4, "fpv5-sp-d16": 0x4, "fpv5-d16": 0xC}
"""Bits of __ARM_FP (Arm C Language Extensions): 4 single precision, 8 double precision."""
PROBE = """
#if defined(__ARM_FEATURE_DSP) != {dsp}
#error the DSP extension
#endif
#ifdef __ARM_FP
#if (__ARM_FP & 0xC) != {fpu}
#error the precision of the FPU
#endif
#elif {fpu}
#error no FPU
#endif
#if defined(__ARM_PCS_VFP) != {hard_float}
#error the calling convention
#endif
#if defined(__ARM_FEATURE_UNALIGNED) != {unaligned}
#error unaligned access
#endif
#if __ARM_ARCH != {architecture}
#error the architecture
#endif
"""
CASES: list[dict[str, Any]] = [
    *({"core": core} for core in CORES),
    {"core": "cortex-m4", "fpu": "none"},
    {"core": "cortex-m7", "fpu": "none"},
    {"core": "cortex-m7", "fpu": "fpv5-sp-d16"},
    {"core": "cortex-m33", "fpu": "none"},
    {"core": "cortex-m33", "fpu": "none", "dsp": False},
    {"core": "cortex-m33", "dsp": False},
]
ARCHITECTURES = {"cortex-m0plus": 6, "cortex-m33": 8}


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_the_compiler_knows_what_the_core_has(case: dict[str, Any], toolchain: ToolchainName, tmp_path: Path) -> None:
    board = board_with(**case)
    assert board.fpu == case.get("fpu", FPUS.get(board.core, "none"))
    probe = PROBE.format(
        dsp=int(board.dsp),
        fpu=EXPECTED_FPU[board.fpu],
        hard_float=int(board.fpu != "none"),
        unaligned=int(board.core != "cortex-m0plus"),
        architecture=ARCHITECTURES.get(board.core, 7),
    )
    (tmp_path / "probe.c").write_text(probe)
    command = [*compiling.find(toolchain).command, *target_flags(toolchain, board), "-c", "probe.c", "-o", "probe.o"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_what_the_core_cannot_do_the_compilers_library_does(
    core: str, toolchain: ToolchainName, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "c")
    model = folder / "model.c"
    state = "\nvolatile int64_t wide = -7000; volatile float real = 2.5f; volatile double fine = 1.5;\n"
    use = "    arena[10] = (int8_t)(wide / 1000 + (int64_t)(real / 0.5f) + (int64_t)(fine * 8.0));\n"
    text = model.read_text().replace("#define LAYER", f"{state}#define LAYER")
    model.write_text(text.replace("    layer_01", f"{use}    layer_01"))
    board = board_with(core)
    emulated = Core(build(folder, board, FirmwareSettings(toolchain=toolchain)), board)
    emulated.run_to("model_done")
    assert emulated.read("model_input")[10] == -7 + 5 + 12
