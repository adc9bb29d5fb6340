"""Preprocessing of windows in C: the very levels that training reads from the same values."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.data.resize import network_input
from mcubuild.data.series import channels, levels, ranges
from mcubuild.data.splits import Series
from mcubuild.engine.emit.codegen import Channel, generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import Resolution
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import find
from tests.toolchains import needs_host_gcc

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
CHANNELS = 3


def write_c(folder: Path, series: Series, stored: int, side: int, *, stream: bool = False) -> None:
    graph = with_random_values(skeleton(smallest(Space(0.2, Resolution(side, 1), CHANNELS, 4, 3, series=True)), 8))
    target = Target.of(read_board("stm32f412"), EngineSettings(input="stream" if stream else "array"))
    given = [Channel(*one) for one in channels(series)]
    generate(graph, plan(graph, target), target, folder, stack=2048, data="series", stored=stored, channels=given)


def compiled(folder: Path, compiler: tuple[str, ...]) -> ctypes.CDLL:
    command = [*compiler, *WARNINGS, "-O2", "-shared", "-fPIC", "-o", "lib.so", "preprocess.c"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "lib.so"))


def drawn(stored: int) -> tuple[NDArray[np.float32], Series]:
    """Values of any size, far outside of the range too, and those that lie half-way between two levels."""
    rng = np.random.default_rng(stored)
    train = rng.normal([0, 9.81, -300], [1, 0.01, 2000], (50, stored, CHANNELS)).astype(np.float32)
    series, _ = ranges(train, ("ax", "ay", "az"))
    x = rng.normal([0, 9.81, -300], [1, 0.02, 4000], (30, stored, CHANNELS)).astype(np.float32)
    low, high = np.array(series.low, np.float32), np.array(series.high, np.float32)
    half = (low + (rng.integers(0, 255, (10, stored, CHANNELS)) + np.float32(0.5)) * (high - low) / 255).astype(
        np.float32
    )
    return np.concatenate([x, half, np.broadcast_to(low, (1, stored, CHANNELS))]), series


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("stored", "side"), [(64, 64), (64, 28), (100, 38), (101, 100), (200, 16)])
def test_equals_the_trainings_reading(tmp_path: Path, stored: int, side: int, stream: bool) -> None:
    check(tmp_path, stored, side, find("zig").command, stream=stream)


@needs_host_gcc
@pytest.mark.parametrize("more", [(), ("-O3", "-march=native", "-ffp-contract=fast")])
def test_equals_it_with_gcc(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Which may join a product and a sum, where the machine can."""
    check(tmp_path, 64, 28, ("gcc", *more))


def check(folder: Path, stored: int, side: int, compiler: tuple[str, ...], *, stream: bool = False) -> None:
    x, series = drawn(stored)
    write_c(folder, series, stored, side, stream=stream)
    library = compiled(folder, tuple(compiler))
    for window, expected in zip(x, network_input(levels(x, series), Resolution(side, 1)), strict=True):
        out = np.full((side, 1, CHANNELS), 99, np.int8)
        values = np.ascontiguousarray(window)
        if stream:
            for first in range(0, side, 5):
                count = min(5, side - first)
                rows = out[first:].ctypes.data_as(ctypes.c_void_p)
                library.model_preprocess_rows(values.ctypes.data_as(ctypes.c_void_p), rows, first, count)
        else:
            library.model_preprocess(values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p))
        assert np.array_equal(out, expected)


def test_header_says_what_a_window_is(tmp_path: Path) -> None:
    _, series = drawn(64)
    write_c(tmp_path, series, 64, 28)
    header, readme = ((tmp_path / name).read_text() for name in ("model.h", "README.md"))
    assert "#define MODEL_WINDOW 64\n" in header and '"ax", ' in header
    assert "void model_preprocess(const float *window, int8_t *input);" in header
    assert "ax, ay, az" in readme and "model_preprocess(&window[0][0], model_input(arena))" in readme
