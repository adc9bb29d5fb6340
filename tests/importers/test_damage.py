"""Files from anywhere: whatever is wrong with one, a BuildError says so, soon and without much memory."""

import resource
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.importers.tflite import import_tflite
from mcubuild.spec.engine import EngineSettings
from tests.importers.mutations import mutations
from tests.importers.networks import random_network

TARGET = Target.of(read_board("stm32f746"), EngineSettings())


def attack(path: Path, data: bytes) -> bool:
    """Whether the file is refused; how is checked, and that whatever is not refused becomes C or is told then."""
    path.write_bytes(data)
    begun = time.monotonic()
    try:
        graph = import_tflite(path).graph
    except BuildError as error:
        assert str(path) in str(error)
        return True
    finally:
        assert time.monotonic() - begun < 10
    with TemporaryDirectory() as folder, suppress(BuildError):
        generate(graph, plan(graph, TARGET), TARGET, Path(folder), stack=2048)
    return False


def check(folder: Path, seed: int, count: int) -> None:
    data = random_network(seed, 6).finish()
    rng = np.random.default_rng(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = sum(attack(folder / "net.tflite", broken) for broken in mutations(data, rng, count))
    assert refused > count / 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 19, "half a GB more (in kB)"


@pytest.mark.parametrize("seed", range(6))
def test_mutated_files(tmp_path: Path, seed: int) -> None:
    check(tmp_path, seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_mutated_files(tmp_path: Path, seed: int) -> None:
    check(tmp_path, seed, 1000)


def test_every_cut(tmp_path: Path) -> None:
    data = random_network(3, 3).finish()
    for length in range(0, len(data), max(1, len(data) // 60)):
        assert attack(tmp_path / "net.tflite", data[:length])


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 100, b"\x10\0\0\0TFL3", b"\x10\0\0\0TFL3" + b"\xff" * 64])
def test_no_model_at_all(tmp_path: Path, content: bytes) -> None:
    assert attack(tmp_path / "net.tflite", content)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"none\.tflite: cannot be read"):
        import_tflite(tmp_path / "none.tflite")
