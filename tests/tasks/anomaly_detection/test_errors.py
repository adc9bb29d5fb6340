"""Errors of windows: the reference by hand, C on this machine, and in a firmware, bit by bit."""

import ctypes
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.measure.runner import measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.tasks.anomaly_detection.errors import Errors
from mcubuild.tasks.anomaly_detection.reading import Anomaly, chosen
from mcubuild.toolchain.compile import find, link
from mcubuild.toolchain.firmware import generate as generate_firmware
from tests.tasks.anomaly_detection.autoencoders import BANDS, ERRORS, FRAMES, VALUES, autoencoder


def test_by_hand() -> None:
    errors = Errors(2, 0.5, 10)
    assert errors.table[[128 + 10, 128 + 12, 0]].tolist() == [0, 16, -1104]
    inputs, outputs = np.array([[-128, -127], [-128, -128]], np.int8), np.array([[10, 12], [12, 14]], np.int8)
    assert errors.errors(inputs, outputs).tolist() == [0, (16**2 + 32**2) // 2]
    assert Errors(3, 0.5, 10).errors(np.full((1, 3), -128, np.int8), np.array([[12, 12, 10]], np.int8)).tolist() == [
        171
    ]


@pytest.mark.parametrize("name", ERRORS)
def test_c_on_this_machine_gives_the_reference(name: str, tmp_path: Path) -> None:
    """Under sanitizers, in an arena of bytes that the network left behind."""
    errors, graph = ERRORS[name], autoencoder()
    target = Target.of(read_board("stm32f746"), EngineSettings())
    generate(graph, plan(graph, target), target, tmp_path, stack=2048, after=errors)
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=undefined", "-fsanitize-trap=undefined"]
    command = [*find("zig").command, "-O1", *checks, "-shared", "-fPIC", "-o", "lib.so", "model.c", "weights.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "lib.so"))
    library.model_error.restype = ctypes.c_uint32
    header = (tmp_path / "model.h").read_text()
    assert f"#define MODEL_THRESHOLD {errors.threshold}u" in header
    places = {
        name: int(header.split(f"#define MODEL_{name} ")[1].split()[0])
        for name in ("ARENA_BYTES", "INPUT_OFFSET", "OUTPUT_OFFSET")
    }
    rng = np.random.default_rng(0)
    inputs = rng.integers(-128, 128, (100, FRAMES, 1, BANDS), np.int8)
    inputs[:2] = np.array([-128, 127], np.int8)[:, None, None, None]
    arena = np.zeros(places["ARENA_BYTES"] + 16, np.int8)
    arena = arena[-arena.ctypes.data % 16 :][: places["ARENA_BYTES"]]
    found = []
    for one in inputs:
        arena[places["INPUT_OFFSET"] :][:VALUES] = one.ravel()
        library.model_run(arena.ctypes.data_as(ctypes.c_void_p))
        found.append(library.model_error(arena.ctypes.data_as(ctypes.c_void_p)))
    expected = errors.errors(inputs, run(graph, inputs))
    np.testing.assert_array_equal(np.array(found), expected)
    assert len(set(found)) > 10


def extremes() -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    return np.full((1, VALUES), 127, np.int8), np.full((1, VALUES), -128, np.int8)


def test_no_error_leaves_32_bits() -> None:
    for errors in ERRORS.values():
        assert 0 <= int(errors.errors(*extremes())[0]) < 2**32


@pytest.mark.parametrize(("name", "prefix"), [("stm32f412", "model"), ("stm32f746", "fan")])
def test_the_elf_gives_the_errors_of_the_reference(name: str, prefix: str, tmp_path: Path) -> None:
    board, graph, reads = read_board(name), autoencoder(), Anomaly(ERRORS["usual"])
    target, c = Target.of(board, EngineSettings(), 100_000), tmp_path / "c"
    c.mkdir()
    generate(graph, plan(graph, target), target, c, stack=2048, after=reads.errors, prefix=prefix)
    generate_firmware(board, 2048, c, prefix)
    link(c, board, FirmwareSettings(prefix=prefix), tmp_path)
    layers = [layer["name"] for layer in json.loads((c / "plan.json").read_text())["layers"]]
    inputs = np.random.default_rng(0).integers(-128, 128, (6, FRAMES, 1, BANDS), np.int8)
    found = measure(tmp_path / "firmware.elf", board, MeasureSettings(), inputs, layers)
    expected = reads.completed(run(graph, inputs).reshape(6, -1), inputs)
    assert (found.outputs == expected).all() and expected.shape[1] == VALUES + 4
    assert layers[-1] == f"{prefix}_error" and found.layers[-1].instructions > 100


def test_the_threshold_allows_so_many_false_alarms() -> None:
    reads = Anomaly(ERRORS["usual"])
    errors = np.arange(1, 21).astype("<u4") * 10
    outputs = np.hstack([np.zeros((20, VALUES), np.int8), errors[:, None].view(np.int8)])
    normal = np.stack([np.zeros(20, np.int64), np.arange(20)], axis=1)
    scores, _ = reads.judged(outputs, normal)
    for share, above in ((0.0, 0), (0.05, 1), (0.1, 2), (0.99, 19)):
        assert int((scores > chosen(reads, outputs, normal, share)).sum()) == above
    mixed = normal.copy()
    mixed[10:, 0] = 1
    assert chosen(reads, outputs, mixed, 0.0) == 100
