"""From a camera's picture to the network's input: the C gives the pixels that Pillow gives."""

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.data.resize import fit, network_input, resize
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.measure.preprocessing import measure_preprocessing
from mcubuild.resolution import Resolution, square
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain.compile import find

BOARD = read_board("stm32f412")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
CHECKS = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")
Pixels = NDArray[np.uint8]


Library = Callable[..., ctypes.CDLL]


class Picture(ctypes.Structure):
    """struct model_picture."""

    _fields_ = (("pixels", ctypes.c_char_p), *((name, ctypes.c_int32) for name in ("width", "height", "stride")))


def network(size: Resolution, channels: int) -> Graph:
    sketch = Sketch((1, size.height, size.width, channels))
    sketch.fully_connected(sketch.pool(sketch.conv("input", 8, 3, 2)), 5)
    return with_random_values(sketch.graph())


def write_c(
    graph: Graph, folder: Path, *, stream: bool = False, stored: int | None = None, whole: bool = False
) -> None:
    target = Target.of(BOARD, EngineSettings(input="stream" if stream else "array"))
    generate(graph, plan(graph, target), target, folder, stack=2048, data="pictures", stored=stored, whole=whole)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library for a network's size and channels, and the side of the stored pictures."""

    @cache
    def library(size: Resolution, channels: int, stored: int | None = None, whole: bool = False) -> ctypes.CDLL:
        folder = tmp_path_factory.mktemp("c")
        write_c(network(size, channels), folder, stored=stored, whole=whole)
        command = [*find("zig").command, *WARNINGS, "-O2", "-shared", "-fPIC", "-o", "lib.so", "preprocess.c"]
        subprocess.run(command, cwd=folder, check=True)
        return ctypes.CDLL(str(folder / "lib.so"))

    return library


def noise(width: int, height: int, channels: int) -> Pixels:
    """Hard pixels: half of them black or white."""
    rng = np.random.default_rng([width, height, channels])
    values = rng.integers(0, 256, (height, width, channels))
    return np.where(rng.random(values.shape) < 0.5, values, 255 * (values > 128)).astype(np.uint8)


def as_trained(pixels: Pixels, size: Resolution, whole: bool = False) -> Pixels:
    """Pixels (height, width, channels) as ``mcubuild.data.images`` reads them."""
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    return np.asarray(fit(image, size, whole=whole)).reshape(size.height, size.width, -1)


def preprocessed(library: ctypes.CDLL, pixels: Pixels, size: Resolution, gap: int = 0) -> NDArray[np.int8]:
    height, width, channels = pixels.shape
    rows = np.zeros((height, width * channels + gap), np.uint8)
    rows[:, : width * channels] = pixels.reshape(height, -1)
    out = np.zeros((size.height, size.width, channels), np.int8)
    picture = Picture(rows.tobytes(), width, height, rows.shape[1])
    library.model_preprocess(ctypes.byref(picture), out.ctypes.data_as(ctypes.c_void_p))
    return out


SIZES = [(1, 1), (1, 7), (8, 8), (9, 8), (16, 31), (33, 32), (32, 32), (64, 48), (97, 160), (160, 120), (161, 320)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32, 47])
def test_equals_the_trainings_reading(compiled: Library, side: int, channels: int) -> None:
    """Reduced up to 20 times, enlarged, neither; with an odd number of pixels too many, the square begins at a half."""
    for width, height in SIZES:
        pixels = noise(width, height, channels)
        size = square(side)
        check(preprocessed(compiled(size, channels), pixels, size, gap=width % 3), pixels, size)


def check(
    got: NDArray[np.int8], pixels: Pixels, size: Resolution, stored: int | None = None, whole: bool = False
) -> None:
    """Every bit."""
    height, width, _ = pixels.shape
    read = as_trained(pixels, square(stored) if stored else size, whole)
    expected = network_input(read[None], size)[0]
    np.testing.assert_array_equal(got, expected, err_msg=f"{width} x {height}")


@pytest.mark.parametrize("stored, side", [(60, 32), (20, 32), (150, 8)])
def test_pictures_that_training_resized_twice(compiled: Library, stored: int, side: int) -> None:
    for width, height in SIZES:
        pixels = noise(width, height, 3)
        size = square(side)
        check(preprocessed(compiled(size, 3, stored), pixels, size), pixels, size, stored)


@pytest.mark.parametrize(
    "stored, size",
    [
        (32, square(32)),
        (60, square(32)),
        (20, square(47)),
        (60, Resolution(32, 48)),
        (60, Resolution(48, 32)),
        (20, Resolution(32, 20)),
        (32, Resolution(32, 64)),
        (None, Resolution(24, 32)),
        (None, Resolution(64, 32)),
    ],
    ids=str,
)
def test_whole_pictures_are_stretched(compiled: Library, stored: int | None, size: Resolution) -> None:
    for width, height in SIZES:
        pixels = noise(width, height, 3)
        got = preprocessed(compiled(size, 3, stored, True), pixels, size)
        check(got, pixels, size, stored, whole=True)


def test_training_reads_pictures_that_are_not_tall_as_pillow_fits_them() -> None:
    """Across first. Of tall ones, Pillow 13 takes some down first."""
    for width, height in ((160, 120), (97, 96), (64, 64), (5, 3)):
        pixels = noise(width, height, 3)
        fitted = ImageOps.fit(Image.fromarray(pixels), (32, 32), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(as_trained(pixels, square(32)), np.asarray(fitted))


@pytest.mark.slow
def test_equals_it_for_many_sizes(compiled: Library) -> None:
    rng = np.random.default_rng(0)
    for side, stored in ((5, None), (48, None), (96, None), (224, None), (48, 131), (96, 120), (160, 96), (10, 224)):
        size = square(side)
        library = compiled(size, 1, stored)
        for width, height in rng.integers(1, 500, (150, 2)).tolist():
            pixels = noise(width, height, 1)
            check(preprocessed(library, pixels, size), pixels, size, stored)


def test_cost(tmp_path: Path) -> None:
    """2.1 million cycles by the emulator's model; what is allowed beyond is the compiler's."""
    write_c(network(square(96), 3), tmp_path)
    cost = measure_preprocessing(tmp_path, BOARD, FirmwareSettings(), (160, 120))
    assert cost is not None and 1_000_000 < cost.cycles < 3_000_000 and cost.stack_bytes < 2048
    assert measure_preprocessing(tmp_path, BOARD, FirmwareSettings(), (640, 480)) is None  # 0.9 MB


MAIN = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    uint8_t *pixels = malloc(37 * 50 * 3); /* no byte to spare */
    int8_t *arena = malloc(MODEL_ARENA_BYTES);
    if (fread(pixels, 1, 37 * 50 * 3, stdin) != 37 * 50 * 3) return 2;
    struct model_picture picture = {pixels, 50, 37, 50 * 3};
#ifdef MODEL_INPUT_ROWS
    model_run(arena, model_preprocess_rows, &picture);
#else
    model_preprocess(&picture, model_input(arena));
    model_run(arena);
#endif
    fwrite(model_output(arena), 1, MODEL_OUTPUT_BYTES, stdout);
    free(pixels), free(arena);
    return 0;
}
"""


@pytest.mark.parametrize("stored", [None, 31])
@pytest.mark.parametrize("stream", [False, True])
def test_picture_in_answer_out(tmp_path: Path, stream: bool, stored: int | None) -> None:
    graph = network(square(24), 3)
    write_c(graph, tmp_path, stream=stream, stored=stored)
    (tmp_path / "main.c").write_text(MAIN)
    sources = ["main.c", "model.c", "weights.c", "preprocess.c"]
    subprocess.run([*find("zig").command, *WARNINGS, *CHECKS, "-o", "program", *sources], cwd=tmp_path, check=True)
    pixels = noise(50, 37, 3)
    result = subprocess.run([tmp_path / "program"], input=pixels.tobytes(), capture_output=True, check=True)
    expected = run(graph, network_input(as_trained(pixels, square(stored or 24))[None], square(24)))
    assert result.stdout == expected.tobytes()


LEVELS = """
#include "model.h"
#include <stdio.h>
int main(void)
{
    for (int32_t value = -40000; value < 70000; value++) putchar(model_level(value));
    return 0;
}
"""


@pytest.mark.parametrize("low, high", [(2929, 3083), (0, 65535), (0, 16383), (-300, 210), (-30000, 40000000)])
def test_values_of_more_than_8_bits(tmp_path: Path, low: float, high: float) -> None:
    graph, target = network(square(24), 1), Target.of(BOARD, EngineSettings())
    levels = (float(low), float(high))
    generate(graph, plan(graph, target), target, tmp_path, stack=2048, data="pictures", levels=levels)
    (tmp_path / "main.c").write_text(LEVELS)
    subprocess.run([*find("zig").command, *WARNINGS, *CHECKS, "-o", "program", "main.c"], cwd=tmp_path, check=True)
    result = subprocess.run([tmp_path / "program"], capture_output=True, check=True)
    values = np.arange(-40000, 70000, dtype=np.float64)
    expected = np.clip(np.round(255 * (values - low) / (high - low)), 0, 255).astype(np.uint8)
    assert result.stdout == expected.tobytes()


def test_there_is_none_for_what_are_no_pictures(tmp_path: Path) -> None:
    graph = network(square(24), 1)
    target = Target.of(read_board("stm32f412"), EngineSettings())
    cases: tuple[tuple[Literal["sounds"] | None, str], ...] = (
        ("sounds", "spectrograms"),
        (None, "mcubuild does not know"),
    )
    for data, told in cases:
        generate(graph, plan(graph, target), target, tmp_path, stack=2048, data=data)
        assert "void model_preprocess" not in (tmp_path / "model.h").read_text()
        assert told in (tmp_path / "model.h").read_text()
        command = [*find("zig").command, *WARNINGS, "-c", "preprocess.c", "-o", "object.o"]
        subprocess.run(command, cwd=tmp_path, check=True)


def test_quantised_as_the_network_asks(tmp_path: Path) -> None:
    """A network from elsewhere, whose input is not level - 128."""
    graph, target = network(square(24), 1), Target.of(BOARD, EngineSettings())
    table = np.random.default_rng(0).integers(-128, 128, 256, np.int8)
    generate(graph, plan(graph, target), target, tmp_path, stack=2048, data="pictures", stored=30, table=table)
    command = [*find("zig").command, *WARNINGS, "-O2", "-shared", "-fPIC", "-o", "lib.so", "preprocess.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    pixels = noise(50, 70, 1)
    got = preprocessed(ctypes.CDLL(str(tmp_path / "lib.so")), pixels, square(24))
    expected = table[resize(as_trained(pixels, square(30))[None], square(24))[0]]
    np.testing.assert_array_equal(got, expected)
