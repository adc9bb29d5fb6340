"""The generated C in other people's firmware: any compiler, core and build system, any arena, several at a time."""

import ctypes
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from numpy.typing import NDArray

from mcubuild.board import read_board
from mcubuild.engine.emit.archive import write_zip
from mcubuild.engine.emit.codegen import FILES, generate
from mcubuild.engine.memory.planner import Plan, plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import find, host_library
from mcubuild.toolchain.target import ToolchainName, target_flags
from tests.engine.compilers import CORES, WARNINGS, compiler
from tests.engine.networks import mobile, odd_shapes, packed_mobile
from tests.networks import random_inputs, random_network
from tests.toolchains import needs_arm_gcc, needs_host_gcc

Int8 = NDArray[np.int8]

USE = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    int8_t *arena = static_cast(malloc(MODEL_ARENA_BYTES));
    for (int i = 0; i < MODEL_ARENA_BYTES; i++) arena[i] = static_cast_char(i * 37 & 127);
    if (fread(model_input(arena), 1, MODEL_INPUT_BYTES, stdin) != MODEL_INPUT_BYTES) return 2;
    model_run(arena);
    fwrite(model_output(arena), 1, MODEL_OUTPUT_BYTES, stdout);
    free(arena);
    return 0;
}
"""
"""A program that runs the network once; the arena has no byte to spare."""
USE_C = USE.replace("static_cast_char", "(int8_t)").replace("static_cast", "")
USE_CPP = USE.replace("static_cast_char", "static_cast<int8_t>").replace("static_cast(", "static_cast<int8_t *>(")


@dataclass(frozen=True)
class Generated:
    """A network and its C."""

    graph: Graph
    plan: Plan
    folder: Path

    @property
    def inputs(self) -> Int8:
        """Three samples."""
        return random_inputs(self.graph, 3)

    @property
    def expected(self) -> Int8:
        """Their outputs, (3, bytes)."""
        return run(self.graph, self.inputs).reshape(3, -1)


def generated(name: str, folder: Path) -> Generated:
    """One of NETWORKS, generated."""
    board = {"m7": read_board("stm32f746"), "portable": CORES["cortex-m0plus"]}.get(name, CORES["cortex-m4"])
    settings = EngineSettings(plan="smallest" if "chains" in name else "fastest")
    graph = {
        "chains": lambda: mobile(3),
        "packed chains": lambda: packed_mobile(3),
        "portable": lambda: random_network(5),
        "4 bits": lambda: random_network(4, 4),
        "m4": lambda: odd_shapes(1, 8),
        "m7": lambda: mobile(1),
    }[name]()
    target = Target.of(board, settings)
    folder.mkdir(exist_ok=True)
    placed = plan(graph, target)
    assert bool(placed.chains) == ("chains" in name)
    generate(graph, placed, target, folder, stack=2048)
    return Generated(graph, placed, folder)


NETWORKS = ("chains", "packed chains", "portable", "4 bits", "m4", "m7")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Generated]:
    return cache(lambda name: generated(name, tmp_path_factory.mktemp("network")))


@pytest.fixture(params=NETWORKS, scope="module")
def network(request: pytest.FixtureRequest, networks: Callable[[str], Generated]) -> Generated:
    return networks(request.param)


def needs(toolchain: ToolchainName, core: str) -> tuple[pytest.MarkDecorator, ...]:
    """What a machine must have for ``compiler``."""
    if toolchain == "zig":
        return ()
    return (needs_host_gcc if core == "host" else needs_arm_gcc,)


COMPILERS: list[tuple[ToolchainName, str]] = [(t, c) for t in get_args(ToolchainName) for c in (*CORES, "host")]


@pytest.mark.parametrize(
    ("name", "toolchain", "core"),
    [
        pytest.param(name, *pair, marks=(*needs(*pair), *(() if i % len(NETWORKS) == j else (pytest.mark.slow,))))
        for i, pair in enumerate(COMPILERS)
        for j, name in enumerate(NETWORKS)
    ],
)
def test_compiles_without_warnings_and_keeps_to_itself(
    networks: Callable[[str], Generated], name: str, toolchain: ToolchainName, core: str, tmp_path: Path
) -> None:
    """Whatever the network was generated for; no state, no heap, no library, and no names that others may have."""
    network = networks(name)
    defined: set[str] = set()
    wanted: set[str] = set()
    for source in ("model.c", "weights.c", "kernels.S"):
        command = [*compiler(toolchain, core), *WARNINGS, "-c", source, "-o", str(tmp_path / "object.o")]
        subprocess.run(command, cwd=network.folder, check=True)
        with (tmp_path / "object.o").open("rb") as file:
            elf = ELFFile(file)
            for section in elf.iter_sections():
                if section["sh_flags"] & 3 == 3 and not section.name.startswith(".data.rel.ro"):
                    assert not section["sh_size"], f"{source} has variables in {section.name}"
            table = elf.get_section_by_name(".symtab")
            for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
                if symbol["st_info"]["bind"] == "STB_GLOBAL":
                    (wanted if symbol["st_shndx"] == "SHN_UNDEF" else defined).add(symbol.name)
    assert "model_run" in defined
    assert all(name.startswith("model_") for name in defined)
    arithmetic = {name for name in wanted if name.startswith(("__aeabi_l", "__aeabi_i", "__aeabi_u", "__gnu_thumb1_"))}
    renamed = {"__aeabi_memcpy", "__aeabi_memcpy4", "__aeabi_memset", "__aeabi_memclr", "__aeabi_memclr4"}
    assert wanted - defined - arithmetic - renamed <= {"memcpy", "memset"}


@pytest.mark.parametrize("program", ["zig", pytest.param("g++", marks=pytest.mark.needs("g++"))])
def test_header_in_cplusplus(network: Generated, program: str, tmp_path: Path) -> None:
    command = [find("zig").command[0], "c++"] if program == "zig" else ["g++"]
    (tmp_path / "use.cpp").write_text(USE_CPP)
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Wold-style-cast", "-Wpedantic", "-Werror"]
    subprocess.run([*command, *flags, f"-I{network.folder}", "-c", "use.cpp"], cwd=tmp_path, check=True)


def run_program(program: Path, network: Generated) -> None:
    """Compare what ``program`` makes of each input on stdin with the executor's outputs."""
    for sample, expected in zip(network.inputs, network.expected, strict=True):
        result = subprocess.run([program], input=sample.tobytes(), capture_output=True, check=False)
        assert result.returncode == 0, result.stderr.decode()
        assert result.stdout == expected.tobytes()


@pytest.mark.parametrize(
    ("toolchain", "flags"),
    [
        pytest.param("gcc", ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"), marks=needs_host_gcc),
        ("zig", ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")),
        pytest.param("gcc", ("-O3", "-flto"), marks=needs_host_gcc),
        ("zig", ("-O3",)),
    ],
    ids=["gcc, address and undefined behaviour", "zig, undefined behaviour", "gcc -O3 -flto", "zig -O3"],
)
def test_sanitizers_and_others_flags(
    network: Generated, toolchain: ToolchainName, flags: Sequence[str], tmp_path: Path
) -> None:
    """None of mcubuild's own flags: types may not alias, everything may be inlined."""
    (tmp_path / "main.c").write_text(USE_C)
    command = [*compiler(toolchain, "host"), "-std=c99", *flags, f"-I{network.folder}", "-o", "program", "main.c"]
    sources = [str(network.folder / name) for name in ("model.c", "weights.c")]
    built = subprocess.run([*command, *sources], cwd=tmp_path, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("this gcc comes without its sanitizers' libraries")
    assert built.returncode == 0, built.stderr
    run_program(tmp_path / "program", network)


class Steps:
    """The calls of model_run one by one, in C compiled for this machine."""

    def __init__(self, network: Generated, out: Path) -> None:
        body = (network.folder / "model.c").read_text().split("void model_run(")[1]
        calls = re.findall(r"^    (\w+\(.*\));$", body, re.MULTILINE)
        self.calls: list[list[str]] = []
        for call in calls:
            if call.startswith("move("):  # a tensor that was just written: nothing comes between
                self.calls[-1].append(call)
            else:
                self.calls.append([call])
        cases = "".join(f"    case {n}: {'; '.join(group)}; break;\n" for n, group in enumerate(self.calls))
        code = f'#include "model.c"\nvoid step(int n, int8_t *arena) {{ switch (n) {{\n{cases}    }} }}\n'
        folder = out / "steps"
        folder.mkdir()
        for name in ("model.h", "weights.h", "weights.c"):
            shutil.copy(network.folder / name, folder)
        (folder / "original").mkdir()
        shutil.copy(network.folder / "model.c", folder / "original")
        (folder / "model.c").write_text(code.replace('"model.c"', '"original/model.c"'))
        self._step = ctypes.CDLL(str(host_library(folder, folder, ("-I.",)))).step
        self._network = network

    def run(self, number: int, arena: Int8) -> None:
        self._step(number, arena.ctypes.data_as(ctypes.c_void_p))

    def first_layer(self, number: int) -> int:
        """The first layer of a step; behind the last one, the number of layers."""
        if number == len(self.calls):
            return len(self._network.graph.ops)
        found = re.match(r"layers?_(\d+)", self.calls[number][0])
        assert found
        return int(found[1])


def test_two_arenas_step_by_step_with_poison(network: Generated, tmp_path: Path) -> None:
    """Two inferences in turns; before every step, all that no later layer reads is overwritten at random."""
    graph, steps = network.graph, Steps(network, tmp_path)
    assert steps.first_layer(0) == 0 and len(steps.calls) >= (1 if network.plan.chains else len(graph.ops) // 2)
    rng = np.random.default_rng(0)
    arenas = [rng.integers(-128, 128, network.plan.arena, np.int8) for _ in network.inputs]
    source = network.plan.activations[graph.inputs[0]]
    for arena, sample in zip(arenas, network.inputs, strict=True):
        arena[source.offset : source.offset + source.nbytes] = sample.ravel()
    poisoned = 0
    for number in range(len(steps.calls) + 1):
        free = np.ones(network.plan.arena, bool)
        for name in alive(graph, steps.first_layer(number)):
            place = network.plan.activations[name]
            free[place.offset : place.offset + place.nbytes] = False
        poisoned += int(free.sum())
        for arena in arenas:
            arena[free] = rng.integers(-128, 128, int(free.sum()), np.int8)
            if number < len(steps.calls):
                steps.run(number, arena)
    assert poisoned > network.plan.arena // 2
    sink = network.plan.activations[graph.outputs[0]]
    np.testing.assert_array_equal([a[sink.offset : sink.offset + sink.nbytes] for a in arenas], network.expected)


def alive(graph: Graph, layer: int) -> set[str]:
    """Activations that exist before ``layer`` and are read from there on."""
    written = {*graph.inputs, *(op.output for op in graph.ops[:layer])}
    return written & {*graph.outputs, *(name for op in graph.ops[layer:] for name in op.operands)}


def test_threads_with_an_arena_each(network: Generated, tmp_path: Path) -> None:
    call = ctypes.CDLL(str(host_library(network.folder, tmp_path))).model_run  # ctypes releases Python's lock
    source, sink = (network.plan.activations[n] for n in (network.graph.inputs[0], network.graph.outputs[0]))

    def infer(sample: Int8) -> list[bytes]:
        arena = np.zeros(network.plan.arena, np.int8)
        results = []
        for _ in range(50):
            arena[source.offset : source.offset + source.nbytes] = sample.ravel()
            call(arena.ctypes.data_as(ctypes.c_void_p))
            results.append(arena[sink.offset : sink.offset + sink.nbytes].tobytes())
        return results

    with ThreadPoolExecutor(3) as pool:
        for results, expected in zip(pool.map(infer, network.inputs), network.expected, strict=True):
            assert results == [expected.tobytes()] * 50


def test_zip_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    network = generated("4 bits", tmp_path / "c")
    write_zip(network.folder, tmp_path / "one.zip")
    for path in network.folder.iterdir():
        os.utime(path, (10**9, 10**9))
        path.chmod(0o600)
    write_zip(network.folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == [f"model/{name}" for name in sorted(FILES)]
        archive.extractall(tmp_path)
    for name in FILES:
        assert (tmp_path / "model" / name).read_bytes() == (network.folder / name).read_bytes()


PROJECT = """cmake_minimum_required(VERSION 3.15)
project(firmware LANGUAGES C CXX)
add_subdirectory(model)
add_executable(program main.cpp)
target_link_libraries(program PRIVATE model)
"""


def cmake(folder: Path, *flags: str) -> None:
    """Configure and build the project in ``folder``; without a build type, as beginners do."""
    subprocess.run(["cmake", "-S", ".", "-B", "build", *flags], cwd=folder, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", "build"], cwd=folder, check=True, capture_output=True)


def unzipped(network: Generated, folder: Path) -> None:
    write_zip(network.folder, folder / "model.zip")
    with zipfile.ZipFile(folder / "model.zip") as archive:
        archive.extractall(folder)


@pytest.mark.needs("cmake", "g++")
def test_cmake_target_in_a_cplusplus_project(network: Generated, tmp_path: Path) -> None:
    unzipped(network, tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "main.cpp").write_text(USE_CPP)
    cmake(tmp_path)
    run_program(tmp_path / "build" / "program", network)


@pytest.mark.needs("cmake", "arm-none-eabi-gcc")
def test_cmake_target_for_a_microcontroller(tmp_path: Path) -> None:
    network = generated("m4", tmp_path / "c")
    unzipped(network, tmp_path)
    flags = " ".join(target_flags("gcc", CORES["cortex-m4"]))
    cmake(
        tmp_path / "model",
        "-DCMAKE_SYSTEM_NAME=Generic",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
        "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
        f"-DCMAKE_C_FLAGS={flags}",
        f"-DCMAKE_ASM_FLAGS={flags}",
    )
    listed = ["arm-none-eabi-nm", "--defined-only", "build/libmodel.a"]
    symbols = subprocess.run(listed, cwd=tmp_path / "model", check=True, capture_output=True, text=True).stdout
    assert re.search(r"^\w+ T model_run$", symbols, re.MULTILINE)
    assert re.search(r"^\w+ T model_product_", symbols, re.MULTILINE)


def test_readme(network: Generated, tmp_path: Path) -> None:
    """Short, and its example compiles without warnings."""
    text = (network.folder / "README.md").read_text()
    assert len([line for line in text.splitlines() if line]) <= 10
    example = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    assert f"/* {network.plan.arena} bytes */" in example
    (tmp_path / "use.c").write_text(
        '#include "model.h"\n#include <string.h>\nvoid use(const int8_t *values, int8_t *first);\n'
        f"void use(const int8_t *values, int8_t *first)\n{{\n{example}\n    *first = results[0];\n}}\n"
    )
    command = [*compiler("zig", "host"), *WARNINGS, f"-I{network.folder}", "-c", "use.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
