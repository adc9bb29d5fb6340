"""What the engine predicts without a compiler is what the linked ELF takes."""

import json
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.engine.emit import codegen
from mcubuild.engine.memory import footprint
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.target import ToolchainName
from tests.networks import random_network
from tests.toolchain.building import build
from tests.toolchain.handwritten import BOARDS, board_named, write_model


def test_the_firmwares_own_variables() -> None:
    assert footprint.STATIC_BYTES == firmware.STATIC_BYTES


@pytest.mark.parametrize("name", BOARDS)
def test_the_firmwares_own_code_is_below_the_engines_bound(name: str, toolchain: ToolchainName, tmp_path: Path) -> None:
    out = build(write_model(tmp_path / "c"), board_named(name), FirmwareSettings(toolchain=toolchain))
    report = json.loads((out / "sizes.json").read_text())
    model = sum(s["bytes"] for s in report["symbols"] if s["name"].startswith(("layer_", "model_run")))
    own = report["flash_bytes"] - report["sections"][".model_weights"]["bytes"] - model
    assert 400 < own <= footprint.FIRMWARE_BYTES


@pytest.mark.parametrize("seed", range(3))
def test_ram_and_constants_of_generated_networks(seed: int, toolchain: ToolchainName, tmp_path: Path) -> None:
    graph, board, engine = random_network(seed), read_board("stm32f746"), EngineSettings()
    target = Target.of(board, engine)
    settings = FirmwareSettings(toolchain=toolchain, stack=3072)
    folder = tmp_path / "c"
    folder.mkdir()
    codegen.generate(graph, plan(graph, target), target, folder, stack=settings.stack)
    report = json.loads((build(folder, board, settings) / "sizes.json").read_text())
    predicted = footprint.estimate(graph, target, settings.stack)
    assert report["sram_static_bytes"] + report["stack_reserved"] == predicted.sram
    weights = [report["sections"].get(name, {"bytes": 0})["bytes"] for name in (".model_weights", ".fast_weights")]
    assert sum(weights) == predicted.weights
    assert weights[1] > 0
