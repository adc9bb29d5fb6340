"""The whole measurement, on the firmware that the generator and both compilers make."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate as generate_model
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.measure.result import write
from mcubuild.measure.runner import chosen, measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain.compile import link
from mcubuild.toolchain.firmware import generate as generate_firmware
from tests.measure.conftest import Build, board
from tests.networks import random_inputs, random_network
from tests.toolchains import TOOLCHAINS

STACK = 2048


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("name", ["stm32f412", "stm32f746"])
def test_generated_firmware(tmp_path: Path, name: str, toolchain: str) -> None:
    """The device computes what the reference executor computes, and every layer is seen."""
    chip, graph = read_board(name), random_network(3)
    target = Target.of(chip, EngineSettings())
    generated = tmp_path / "c"
    generated.mkdir()
    generate_model(graph, plan(graph, target), target, generated, stack=STACK)
    generate_firmware(chip, STACK, generated)
    link(generated, chip, FirmwareSettings(toolchain=toolchain), tmp_path)  # type: ignore[arg-type]
    layers = [layer["name"] for layer in json.loads((generated / "plan.json").read_text())["layers"]]
    inputs = random_inputs(graph, 4)
    result = measure(tmp_path / "firmware.elf", chip, MeasureSettings(), inputs, layers)
    np.testing.assert_array_equal(result.outputs, run(graph, inputs).reshape(4, -1))
    assert [layer.name for layer in result.layers] == layers
    assert all(layer.instructions > 100 for layer in result.layers)
    assert result.outside_layers.instructions < 50
    assert 0 < result.stack_bytes < STACK
    assert result.cycles is not None and result.latency_ms == pytest.approx(result.cycles.mean / chip.clock * 1e3)


def test_files_are_the_same_each_time(build: Build, tmp_path: Path) -> None:
    inputs = np.random.default_rng(1).integers(-128, 128, (3, 16)).astype(np.int8)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        elf = build("model.c", "cortex-m4")
        write(measure(elf, board("cortex-m4"), MeasureSettings(), inputs, ["layer_01_mix"]), folder)
    for name in ("measure.json", "device_outputs.npy"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    figures = json.loads((folders[0] / "measure.json").read_text())
    assert figures["runner"] == "emulator" and figures["samples"] == 3 and figures["core"] == "cortex-m4"
    assert set(figures["instructions"]) == set(figures["cycles"]) == {"min", "mean", "max"}
    assert "outputs" not in figures
    assert np.load(folders[0] / "device_outputs.npy").shape == (3, 4)


def test_a_core_without_timing_is_still_counted(build: Build) -> None:
    inputs = np.zeros((1, 16), np.int8)
    result = measure(build("model.c", "cortex-m33"), board("cortex-m33"), MeasureSettings(), inputs, ["layer_01_mix"])
    assert result.instructions.mean > 1000
    assert result.cycles is None and result.latency_ms is None and result.uncertainty is None
    assert result.layers[0].cycles is None
    assert result.cycle_model.startswith("none")


def test_samples_are_drawn_evenly() -> None:
    assert chosen(5, MeasureSettings()).tolist() == [0, 1, 2, 3, 4]
    assert chosen(10, MeasureSettings(samples=4)).tolist() == [0, 2, 5, 7]
    assert chosen(3, MeasureSettings(samples=100)).tolist() == [0, 1, 2]
