"""Several networks in one firmware: with a prefix of their own, neither files nor names meet."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcubuild.board import read_board
from mcubuild.data.resize import network_input
from mcubuild.engine.emit.archive import write_zip
from mcubuild.engine.emit.codegen import FILES, generate
from mcubuild.engine.emit.naming import PREFIX, file_name
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.resolution import square
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain.compile import find, link
from mcubuild.toolchain.firmware import generate as generate_firmware
from tests.engine.compilers import WARNINGS, compiler
from tests.engine.test_preprocess import as_trained, network, noise
from tests.networks import random_inputs, random_network

SOURCES = [name for name in FILES if name.endswith((".c", ".S"))]
USE = """
#include "kws.h"
#include "wake_2.h"
#include <stdio.h>
int main(void)
{
    static int8_t first[KWS_ARENA_BYTES], second[WAKE_2_ARENA_BYTES];
    static const char *const names[] = KWS_CLASS_NAMES, *const others[WAKE_2_CLASSES] = WAKE_2_CLASS_NAMES;
    static uint8_t pixels[32 * 48 * 3];
    const struct wake_2_picture picture = {pixels, 48, 32, 48 * 3};
    if (fread(kws_input(first), 1, KWS_INPUT_BYTES, stdin) != KWS_INPUT_BYTES) return 2;
    if (fread(pixels, 1, sizeof pixels, stdin) != sizeof pixels) return 3;
    wake_2_preprocess(&picture, wake_2_input(second));
    kws_run(first);
    wake_2_run(second);
    fwrite(kws_output(first), 1, KWS_OUTPUT_BYTES, stdout);
    fwrite(wake_2_output(second), 1, WAKE_2_OUTPUT_BYTES, stdout);
    fprintf(stderr, "%s %s %s", names[0], others[wake_2_argmax(second)], KWS_HASH);
    return 0;
}
"""


def write_c(graph: Graph, folder: Path, prefix: str, settings: EngineSettings | None = None) -> None:
    """The C of a network that is fed with pictures and has five classes."""
    target = Target.of(read_board("stm32f412"), settings or EngineSettings())
    classes = [f"{prefix} {label} model_run MODEL_H" for label in range(5)]
    folder.mkdir(exist_ok=True)
    generate(graph, plan(graph, target), target, folder, stack=2048, classes=classes, data="pictures", prefix=prefix)


def test_two_networks_in_one_program(tmp_path: Path) -> None:
    """All of their files lie in one folder, and both headers in one translation unit."""
    first, second = random_network(5), network(square(24), 3)
    write_c(first, tmp_path, "kws")
    write_c(second, tmp_path, "wake_2")
    (tmp_path / "main.c").write_text(USE)
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    assert len(sources) == 7
    command = [*find("zig").command, *WARNINGS, "-Wpedantic", "-o", "program", *sources]
    subprocess.run(command, cwd=tmp_path, check=True)
    sample, pixels = random_inputs(first, 1), noise(48, 32, 3)
    given = sample.tobytes() + pixels.tobytes()
    result = subprocess.run([tmp_path / "program"], input=given, capture_output=True, check=True)
    answers = run(second, network_input(as_trained(pixels, square(24))[None], square(24)))
    assert result.stdout == run(first, sample).tobytes() + answers.tobytes()
    label = int(answers.argmax())
    assert result.stderr.decode().startswith(f"kws 0 model_run MODEL_H wake_2 {label} model_run MODEL_H ")


def symbols(folder: Path, prefix: str, core: str) -> set[str]:
    """Global names that the C and the assembly define."""
    found: set[str] = set()
    for name in SOURCES:
        command = [*compiler("zig", core), *WARNINGS, "-c", file_name(name, prefix), "-o", "object.o"]
        subprocess.run(command, cwd=folder, check=True)
        with (folder / "object.o").open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            found |= {
                symbol.name
                for symbol in table.iter_symbols()
                if symbol["st_info"]["bind"] == "STB_GLOBAL" and symbol["st_shndx"] != "SHN_UNDEF"
            }
    return found


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_one_network_twice_shares_no_name(tmp_path: Path, core: str) -> None:
    graph = random_network(7)
    found = []
    for prefix in ("a", "b_"):
        write_c(graph, tmp_path / prefix, prefix)
        found.append(symbols(tmp_path / prefix, prefix, core))
        assert all(name.startswith(f"{prefix}_") for name in found[-1])
        assert any("_product_" in name for name in found[-1]) == (core == "cortex-m4")
    assert len(found[0]) == len(found[1]) > 3 and not found[0] & found[1]


@pytest.mark.parametrize("stream", [False, True])
def test_only_names_differ(tmp_path: Path, stream: bool) -> None:
    """Names of classes are the user's, whatever they contain."""
    settings = EngineSettings(input="stream" if stream else "array")
    write_c(network(square(24), 3), tmp_path / "plain", PREFIX, settings)
    write_c(network(square(24), 3), tmp_path / "named", "kws", settings)
    files = "|".join(re.escape(file_name(name, "kws")) for name in FILES)
    for name in (*FILES, "plan.json"):
        text = (tmp_path / "named" / file_name(name, "kws")).read_text()
        text = re.sub(rf"\b({files})\b", lambda found: found[0].removeprefix("kws_"), text)
        assert text.count("model_run MODEL_H") == (5 if name == "model.h" else 0)
        assert text.replace("kws", "model").replace("KWS", "MODEL") == (tmp_path / "plain" / name).read_text(), name


def test_the_firmware_around_a_network_with_a_prefix(tmp_path: Path) -> None:
    """What measures knows its own names alone."""
    graph, board, settings = random_network(3), read_board("stm32f412"), FirmwareSettings(prefix="kws")
    write_c(graph, tmp_path / "c", "kws")
    generate_firmware(board, settings.stack, tmp_path / "c", "kws")
    link(tmp_path / "c", board, settings, tmp_path)
    inputs = random_inputs(graph, 2)
    measured = measure(tmp_path / "firmware.elf", board, MeasureSettings(), inputs, [])
    np.testing.assert_array_equal(measured.outputs, run(graph, inputs).reshape(2, -1))


PROJECT = """cmake_minimum_required(VERSION 3.15)
project(firmware LANGUAGES C)
add_subdirectory(kws)
add_subdirectory(wake_2)
add_executable(program main.c)
target_link_libraries(program PRIVATE kws wake_2)
"""


@pytest.mark.needs("cmake", "cc")
def test_two_archives_in_one_cmake_project(tmp_path: Path) -> None:
    for prefix, graph in (("kws", random_network(5)), ("wake_2", network(square(24), 3))):
        write_c(graph, tmp_path / f"{prefix}.c", prefix)
        write_zip(tmp_path / f"{prefix}.c", tmp_path / f"{prefix}.zip", prefix)
        subprocess.run(["python3", "-m", "zipfile", "-e", f"{prefix}.zip", "."], cwd=tmp_path, check=True)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "main.c").write_text(USE)
    subprocess.run(["cmake", "-S", ".", "-B", "build"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", "build"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "build" / "program").exists()


def test_the_spec_has_the_same_prefix_where_it_names_none() -> None:
    assert FirmwareSettings().prefix == PREFIX
