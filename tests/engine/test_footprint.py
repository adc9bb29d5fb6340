"""What the estimates promise the search, the linked and emulated firmware keeps."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mcubuild.bench.kernel_networks import NETWORKS, calibration_network, operator_network, pool_network
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import Board, read_board
from mcubuild.cores import names
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import STATIC_BYTES, Stretch, combine, estimate, estimate_stretch
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import firmware
from tests.engine.building import build, run_layers
from tests.networks import random_network
from tests.toolchains import TOOLCHAINS

SETTINGS = EngineSettings()


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize(("seed", "bits"), [(3, 8), (7, 8), (5, 4)])
def test_memories_of_random_networks(tmp_path: Path, seed: int, bits: int, toolchain: str) -> None:
    settings = FirmwareSettings.model_validate({"toolchain": toolchain})
    check_memories(random_network(seed, bits), read_board("stm32f412"), settings, tmp_path)


@pytest.mark.parametrize("optimize", ["O2", pytest.param("O3", marks=pytest.mark.slow)])
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_memories_of_a_mobile_network(tmp_path: Path, toolchain: str, optimize: str) -> None:
    settings = FirmwareSettings.model_validate({"toolchain": toolchain, "optimize": optimize})
    check_memories(calibration_network(NETWORKS), read_board("stm32f746"), settings, tmp_path, 2.5)


def check_memories(
    graph: Graph, board: Board, settings: FirmwareSettings, folder: Path, most_code: float = 4.0
) -> None:
    """Weights and SRAM exact, code below the estimate but not by more than a factor of ``most_code``."""
    predicted = estimate(graph, Target.of(board, SETTINGS), settings.stack)
    build(graph, board, settings, folder)
    sizes = json.loads((folder / "sizes.json").read_text())
    sections = {name: section["bytes"] for name, section in sizes["sections"].items()}
    assert sections.get(".model_weights", 0) + sections.get(".fast_weights", 0) == predicted.weights
    assert sections[".arena"] == predicted.arena
    ram = sum(bytes_ for name, bytes_ in sections.items() if name in (".arena", ".bss", ".data", ".stack"))
    assert ram == predicted.sram
    assert sizes["flash_bytes"] <= predicted.flash
    code = sizes["flash_bytes"] - predicted.weights
    assert code <= predicted.code <= most_code * code


@pytest.mark.parametrize("activations", [8, 4])
@pytest.mark.parametrize("name", ["stm32f412", "stm32f746"])
def test_cycles_of_a_network_that_was_not_calibrated_with(name: str, activations: int, tmp_path: Path) -> None:
    sketch = Sketch((1, 28, 28, 3), activations=activations)
    last = sketch.bottleneck(sketch.conv("input", 16, 3, 2), 64, 16)
    last = sketch.bottleneck(last, 96, 24, 5, 2)
    last = sketch.bottleneck(last, 144, 24, 7)
    sketch.fully_connected(sketch.pool(last), 10)
    graph = with_random_values(sketch.graph())
    measured = sum(sample.cycles for sample in run_layers(graph, name, tmp_path))
    assert estimate(graph, Target.of(read_board(name), SETTINGS), 2048).cycles == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("make", [operator_network, pool_network])
@pytest.mark.parametrize("name", ["stm32f412", "stm32f746"])
def test_cycles_of_operators_that_were_not_calibrated_with(
    name: str, make: Callable[[int], Graph], tmp_path: Path
) -> None:
    found = run_layers(make(100), name, tmp_path)
    estimated = sum(sample.kernel.cycles(sample.layer, sample.core) for sample in found)
    assert estimated == pytest.approx(sum(sample.cycles for sample in found), rel=0.15)


def test_firmware_variables_are_those_of_the_toolchain() -> None:
    assert STATIC_BYTES == firmware.STATIC_BYTES


@pytest.mark.parametrize("settings", [SETTINGS, EngineSettings(inplace_depthwise=False, inplace_add=False)])
def test_a_network_costs_what_its_pieces_cost(settings: EngineSettings) -> None:
    target = Target.of(read_board("stm32f746"), settings)
    whole = Sketch((1, 24, 24, 3))
    pieces: list[Stretch] = []
    last = "input"
    steps: list[Callable[[Sketch, str], str]] = [
        lambda sketch, source: sketch.conv(source, 16, 3, 2),
        lambda sketch, source: sketch.bottleneck(source, 96, 24, 3, 2),
        lambda sketch, source: sketch.bottleneck(source, 144, 24, 5, 1),
        lambda sketch, source: sketch.bottleneck(source, 144, 40, 7, 2),
        lambda sketch, source: sketch.fully_connected(sketch.pool(source), 10),
    ]
    for step in steps:
        alone = Sketch(whole.tensors[last].shape)
        step(alone, "input")
        pieces.append(estimate_stretch(alone.graph(), target))
        last = step(whole, last)
    assert combine(pieces, target, 2048) == estimate(whole.graph(), target, 2048)
    assert plan(whole.graph(), target).arena == max(piece.height for stretch in pieces for piece in stretch.pieces)


def test_every_core_has_costs_for_everything_that_a_kernel_does() -> None:
    for seed in range(4):
        for layer in layers(calibration_network(seed)):
            for core in names():
                assert choose(layer, Target(core, core in ("cortex-m4", "cortex-m7"), SETTINGS)).cycles(layer, core) > 0
