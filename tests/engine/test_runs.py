"""The contract of streaming kernels: any run of output rows, from the input rows that its windows need."""

import ctypes
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.flow import row_bytes
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run_all
from mcubuild.ir.geometry import Rows
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import find
from tests.networks import packed, random_inputs, random_network
from tests.packing import read, stored

Int8 = NDArray[np.int8]

TARGET = Target.of(read_board("stm32f412"), EngineSettings())
GUARD = 64


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(6))
def test_rows_in_runs_equal_the_whole(tmp_path: Path, seed: int, bits: int) -> None:
    check(random_network(seed, bits), tmp_path, seed)


@pytest.mark.parametrize("seed", range(4))
def test_rows_in_runs_of_packed_activations(tmp_path: Path, seed: int) -> None:
    check(packed(random_network(seed), seed, 1.0 if seed % 2 else 0.6), tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 60))
def test_rows_in_runs_of_many_networks(tmp_path: Path, seed: int) -> None:
    check(random_network(seed), tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 60))
def test_rows_in_runs_of_many_packed_networks(tmp_path: Path, seed: int) -> None:
    check(packed(random_network(seed), seed, 1.0 if seed % 2 else 0.6), tmp_path, seed)


def check(graph: Graph, folder: Path, seed: int) -> None:
    generate(graph, plan(graph, TARGET), TARGET, folder, stack=2048)
    library = ctypes.CDLL(str(exported(folder)))
    rng = np.random.default_rng(seed)
    values = {name: array[0] for name, array in run_all(graph, random_inputs(graph, 3, seed)[2:]).items()}
    for layer in layers(graph):
        if choose(layer, TARGET).streams:
            in_runs(layer, getattr(library, f"run_{layer.index}"), values, rng)


def exported(folder: Path) -> Path:
    """A library with run_<layer>(buffer of each activation and of scratch ..., rows, top, bottom)."""
    code = (folder / "model.c").read_text()
    text = '#include "model.c"\n'
    for index, body, call in re.findall(r"layer_(\d+)_\w+\(int8_t \*arena\)\n\{\n    (\w+)\((.*)\);", code):
        buffers = re.findall(r"arena \+ \d+", call)
        filters = re.findall(r"&?model_layer_\w+", call)
        names = [f"p{number}" for number in range(len(buffers))]
        signature = ", ".join(f"int8_t *{name}" for name in names)
        if len(call.split(", ")) == len(buffers) + len(filters) + 3:
            arguments = ", ".join([*names, *filters, "rows", "top", "bottom"])
            text += f"void run_{int(index)}({signature}, int32_t rows, int32_t top, int32_t bottom)\n"
            text += f"{{ {body}({arguments}); }}\n"
    (folder / "exported.c").write_text(text)
    command = [*find("zig").command, "-std=c99", "-O1", "-shared", "-fPIC", "exported.c", "weights.c"]
    subprocess.run([*command, "-o", "exported.so"], cwd=folder, check=True)
    return folder / "exported.so"


def in_runs(layer: Layer, call: Callable[..., None], values: dict[str, Int8], rng: np.random.Generator) -> None:
    window, expected = layer.vertical, values[layer.op.output]
    kernel = choose(layer, TARGET)
    first = 0
    while first < window.rows:
        rows = int(rng.integers(1, window.rows - first + 1))
        top, bottom = window.outside(first, rows, layer.input_rows)
        begin = first * window.stride - window.padding
        needed = slice(begin + top, begin + window.span(rows) - bottom)
        sources = [stored(layer.graph.tensor(name), values[name][needed]) for name in layer.op.operands]
        scratch = kernel.scratch_bytes(layer, rows)
        nbytes, some = rows * row_bytes(layer.output), expected[first : first + rows].reshape(rows, -1)
        separate = compute(call, sources, None, nbytes, scratch, (rows, top, bottom), rng).reshape(rows, -1)
        np.testing.assert_array_equal(read(layer.output, separate), some, str(layer.op))
        if kernel.overwrites(layer):
            before = top * row_bytes(layer.input)
            over = compute(call, sources, before, nbytes, scratch, (rows, top, bottom), rng).reshape(rows, -1)
            np.testing.assert_array_equal(read(layer.output, over), some, f"{layer.op} over its input")
        first += rows


def compute(
    call: Callable[..., None],
    sources: list[Int8],
    before: int | None,
    nbytes: int,
    scratch: int,
    run: tuple[int, int, int],
    rng: np.random.Generator,
) -> Int8:
    """The output: in memory of its own, or ``before`` bytes before the first source."""
    memory = rng.integers(-128, 128, 1 << 16, np.int8)
    places, end = [], GUARD + (before or 0)
    for source in sources:
        memory[end : end + source.size] = source.ravel()
        places.append(end)
        # Rows lie anywhere, scratch at words.
        end += source.size + GUARD + int(rng.integers(4))
    if before is None:
        places.append(end)
        end += nbytes + GUARD
    else:
        places.append(places[0] - before)
        end += nbytes
    if scratch:
        places.append(-(-end // 4) * 4)
    untouched = memory.copy()
    pointers = [ctypes.c_void_p(memory.ctypes.data + place) for place in places]
    call(*pointers, *(ctypes.c_int32(number) for number in run))
    output, written = places[len(sources)], np.zeros(len(memory), bool)
    written[output : output + nbytes] = True
    if scratch:
        written[places[-1] : places[-1] + scratch] = True
    np.testing.assert_array_equal(memory[~written], untouched[~written], "bytes of others")
    return memory[output : output + nbytes].copy()


def test_windows_outside_the_input() -> None:
    window = Rows(rows=5, size=3, stride=2, padding=1)
    assert window.span(2) == 5
    assert window.outside(0, 1, 9) == (1, 0)
    assert window.outside(4, 1, 9) == (0, 1)
    assert window.outside(0, 5, 9) == (1, 1)
    assert window.outside(0, 4, 20) == (1, 0)
