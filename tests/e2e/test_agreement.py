"""One arithmetic: the reference executor, the generated C on this machine and the emulated ELF agree in every bit.

So accuracy measured by the executor is the board's accuracy.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcubuild import ROOT
from mcubuild.bench.kernel_networks import operator_network
from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.executor import run
from mcubuild.ir.files import read_graph
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.spec.quantize import QuantizeSettings
from tests.e2e.agreement import Int8, on_host
from tests.networks import random_inputs, random_network
from tests.quant.networks import quantize_random, write_weights
from tests.quant.networks import random_network as random_float_network
from tests.toolchain.building import build
from tests.toolchains import TOOLCHAINS

MODELS = ROOT.parent / "shared" / "models"
BOARDS = ("stm32f412", "stm32f746")
LEVELS = ("O2", "Os", "O3")

# Every seed with another mix of weights, core and optimisation level.
QUICK = range(20)
THOROUGH = range(20, 60)


def check(
    graph: Graph,
    inputs: Int8,
    folder: Path,
    board: str = "stm32f746",
    toolchain: str = "zig",
    optimize: str = "O2",
    engine: EngineSettings = EngineSettings(),  # noqa: B008 (frozen)
) -> Int8:
    """Compare all three on ``inputs``; the outputs."""
    expected = run(graph, inputs)
    flat = expected.reshape(len(inputs), -1)
    chip = read_board(board)
    target = Target.of(chip, engine)
    firmware = FirmwareSettings.model_validate({"toolchain": toolchain, "optimize": optimize})
    place = plan(graph, target)
    code = folder / "c"
    code.mkdir()
    generate(graph, place, target, code, stack=firmware.stack)
    np.testing.assert_array_equal(on_host(graph, place, code, inputs), flat, "C on this machine")
    elf = build(code, chip, firmware) / "firmware.elf"
    measured = measure(elf, chip, MeasureSettings(), inputs, [])
    np.testing.assert_array_equal(measured.outputs, flat, "ELF in the emulator")
    return expected


def check_random(seed: int, toolchain: str, folder: Path) -> None:
    graph = random_network(seed, bits=8 if seed % 3 else 4)
    inputs = random_inputs(graph, 6, seed)
    outputs = check(graph, inputs, folder, BOARDS[seed % 2], toolchain, LEVELS[seed // 2 % 3])
    assert len(np.unique(outputs)) > 1, "outputs that are all the same would agree whatever is wrong"


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("seed", QUICK)
def test_random_networks(tmp_path: Path, seed: int, toolchain: str) -> None:
    check_random(seed, toolchain, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("seed", THOROUGH)
def test_many_random_networks(tmp_path: Path, seed: int, toolchain: str) -> None:
    check_random(seed, toolchain, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_networks_of_every_operator(tmp_path: Path, seed: int) -> None:
    graph = operator_network(seed)
    check(graph, random_inputs(graph, 3, seed), tmp_path, BOARDS[seed % 2], optimize=LEVELS[seed % 3])


@pytest.mark.parametrize("bits", [8, pytest.param(4, marks=pytest.mark.slow)])
def test_a_network_of_the_search_space(tmp_path: Path, bits: int) -> None:
    """From float weights over quantisation and files, as in the pipeline."""
    arch, network = random_float_network(11)
    weights = write_weights(network, tmp_path / "w.safetensors")
    quantize_random(arch, weights, QuantizeSettings(samples=32, epochs=0), bits, tmp_path)
    graph = read_graph(tmp_path)
    check(graph, random_inputs(graph, 4), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not MODELS.is_dir(), reason="the reference networks (../shared/models) are not here")
@pytest.mark.parametrize("assembly", [True, False], ids=["assembly", "portable"])
@pytest.mark.parametrize("what", ["every tensor", "smallest"])
@pytest.mark.parametrize("name", ["kws", "resnet", "vww96", "ad01"])
def test_mlperf_tiny(tmp_path: Path, name: str, what: str, assembly: bool) -> None:
    """Networks that nobody here made, on eight inputs; that the executor computes what Micro does: tests/importers.

    Every tensor is an output, so that the plan keeps all of them; or rows stream in the smallest arena.
    """
    graph = import_tflite(MODELS / f"{name}.tflite").graph
    inputs = np.load(MODELS / f"{name}_in.npy")
    assert len(inputs) == 8
    if what == "every tensor":
        graph = replace(graph, outputs=tuple(op.output for op in graph.ops))
    engine = EngineSettings(assembly=assembly, plan="smallest" if what == "smallest" else "fastest")
    check(graph, inputs.reshape(8, *graph.tensor(graph.inputs[0]).shape[1:]), tmp_path, engine=engine)
