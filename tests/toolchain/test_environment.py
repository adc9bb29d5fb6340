"""What this process's environment says changes no byte of what compilers make."""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.measure import native
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import compile as compiling
from mcubuild.toolchain.environment import environment
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.building import build
from tests.toolchain.handwritten import write_model

PLACES = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "LIBRARY_PATH")
HOSTILE = {
    "CCC_OVERRIDE_OPTIONS": "+-O0",
    "CFLAGS": "-O0",
    "LDFLAGS": "-lnothing",
    "COMPILER_PATH": "/nowhere/",
    "GCC_EXEC_PREFIX": "/nowhere/",
    "SOURCE_DATE_EPOCH": "1",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
    "ZIG_LIB_DIR": "/nowhere",
    "ZIG_VERBOSE_CC": "1",
}


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    """Variables that compilers read; their header files refuse to be compiled."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("stdint.h", "string.h", "stddef.h"):
        (evil / name).write_text("#error evil\n")
    return HOSTILE | dict.fromkeys(PLACES, str(evil))


def test_the_firmware_is_the_same(
    hostile: dict[str, str], toolchain: ToolchainName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("plain", "hostile"):
        (tmp_path / name).mkdir()
        folder = write_model(tmp_path / name / "c")
        out = build(folder, read_board("stm32f412"), FirmwareSettings(toolchain=toolchain))
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
        for variable, value in hostile.items():
            monkeypatch.setenv(variable, value)
    assert made[0] == made[1]
    assert set(made[0]) == {"firmware.elf", "firmware.bin", "firmware.map", "sizes.json"}


@pytest.mark.parametrize("variable", ["CPATH", "CCC_OVERRIDE_OPTIONS", "ZIG_LIB_DIR"])
def test_such_variables_would_matter(hostile: dict[str, str], variable: str, tmp_path: Path) -> None:
    """Else the tests here could not fail."""
    (tmp_path / "a.c").write_text("#include <stdint.h>\nint32_t twice(int32_t x) { return 2 * x; }\n")
    command = [*compiling.find("zig").command, "-target", "thumb-freestanding-eabi", "-O2", "-c", "a.c", "-o", "a.o"]
    found = []
    for number, seen in enumerate((environment(), os.environ | {variable: hostile[variable]})):
        seen["ZIG_GLOBAL_CACHE_DIR"] = str(tmp_path / f"cache{number}")  # which knows nothing of these variables
        code = subprocess.run(command, cwd=tmp_path, env=seen, capture_output=True, check=False).returncode
        found.append(None if code else (tmp_path / "a.o").read_bytes())
    assert found[0] is not None and found[0] != found[1]


def test_code_for_this_machine_is_compiled_too(
    hostile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in hostile.items():
        monkeypatch.setenv(variable, value)
    folder = write_model(tmp_path / "c")
    assert ctypes.CDLL(str(compiling.host_library(folder, tmp_path))).model_run
    native.load.cache_clear()
    assert native.load("blockcount").on_block


def test_programs_see_where_they_may_write_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    seen = environment(ZIG_LOCAL_CACHE_DIR="/cache")
    assert seen["TMPDIR"] == "/somewhere" and seen["ZIG_LOCAL_CACHE_DIR"] == "/cache" and seen["LC_ALL"] == "C"
    known = {"HOME", "PATH", "TEMP", "TMP", "TMPDIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR", "LC_ALL"}
    assert seen.keys() <= known


def test_nothing_compiled_comes_from_an_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As zig's cache would give it, damaged or not."""
    caches = tmp_path / "zig"
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(caches))
    write_model(tmp_path / "c")
    compiling.host_library(tmp_path / "c", tmp_path)
    sound = (tmp_path / "model.so").read_bytes()
    for path in caches.rglob("*.o"):
        assert path.name not in ("model.o", "weights.o")
    compiling.host_library(tmp_path / "c", tmp_path)
    assert (tmp_path / "model.so").read_bytes() == sound
