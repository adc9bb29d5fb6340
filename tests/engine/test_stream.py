"""A streamed input: the image never exists in full on the board, and no bit changes."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import estimate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run
from mcubuild.measure.remote.runner import measure_remotely
from mcubuild.measure.runner import measure
from mcubuild.nas.space.arch import Space, smallest
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from tests.engine.building import build
from tests.engine.networks import image_network
from tests.measure.remote.stub import needs_qemu
from tests.networks import random_inputs

BOARD = read_board("stm32f412")
STREAM = EngineSettings(input="stream")
SETTINGS = FirmwareSettings()


@pytest.mark.parametrize("smallest_plan", [False, True])
def test_firmware_computes_the_same_in_the_ram_that_was_predicted(tmp_path: Path, smallest_plan: bool) -> None:
    engine = EngineSettings(input="stream", plan="smallest" if smallest_plan else "fastest")
    graph = image_network()
    build(graph, BOARD, SETTINGS, tmp_path, engine)
    predicted = estimate(graph, Target.of(BOARD, engine), SETTINGS.stack)
    sizes = json.loads((tmp_path / "sizes.json").read_text())
    sections = {name: section["bytes"] for name, section in sizes["sections"].items()}
    ram = sum(bytes_ for name, bytes_ in sections.items() if name in (".arena", ".bss", ".data", ".stack"))
    assert (sections[".arena"], ram) == (predicted.arena, predicted.sram)
    assert sizes["flash_bytes"] <= predicted.flash
    assert not smallest_plan or ram - SETTINGS.stack < graph.tensor("input").nbytes
    samples = random_inputs(graph, 3)
    layers = [layer["name"] for layer in json.loads((tmp_path / "plan.json").read_text())["layers"]]
    result = measure(tmp_path / "firmware.elf", BOARD, MeasureSettings(), samples, layers)
    np.testing.assert_array_equal(result.outputs, run(graph, samples).reshape(len(samples), -1))


@needs_qemu
def test_rows_are_written_through_a_debugger_too(tmp_path: Path) -> None:
    graph = image_network()
    build(graph, BOARD, SETTINGS, tmp_path, STREAM)
    samples, settings = random_inputs(graph, 2), MeasureSettings(runner="qemu")
    result = measure_remotely(tmp_path / "firmware.elf", tmp_path, BOARD, settings, SETTINGS, samples, [])
    np.testing.assert_array_equal(result.outputs, run(graph, samples).reshape(len(samples), -1))


def test_inputs_of_another_size_are_refused(tmp_path: Path) -> None:
    build(image_network(), BOARD, SETTINGS, tmp_path, STREAM)
    with pytest.raises(
        BuildError, match=r"an input is 4920 bytes of int8 \(rows of 120\); found int8 \(40, 40, 3\), 4800 bytes"
    ):
        measure(tmp_path / "firmware.elf", BOARD, MeasureSettings(), np.zeros((1, 40, 40, 3), np.int8), [])


def test_the_arena_is_smaller_by_nearly_the_image() -> None:
    sketch = Sketch((1, 96, 96, 3))
    sketch.conv(sketch.conv("input", 4, 3, 2), 4, 3, 2)
    whole = plan(sketch.graph(), Target.of(BOARD, EngineSettings(plan="smallest")))
    fed = plan(sketch.graph(), Target.of(BOARD, EngineSettings(plan="smallest", input="stream")))
    image = 96 * 96 * 3
    assert whole.arena >= image
    assert fed.arena < whole.arena - 0.75 * image
    assert fed.activations["input"].nbytes <= 4 * 96 * 3


def test_search_and_plan_agree() -> None:
    arch = smallest(Space(0.3, square(64), 3, 2))
    needed = Footprints(Deployment(BOARD, EngineSettings(input="stream", plan="smallest"))).of(arch).sram
    assert needed < Footprints(Deployment(BOARD, EngineSettings(plan="smallest"))).of(arch).sram
    for sram in (needed - 32, needed, needed + 3000):
        footprints = Footprints(Deployment(BOARD, STREAM, budget=Budget(sram=sram)))
        found = footprints.of(arch)
        assert found == estimate(skeleton(arch, 8), footprints.target, 2048)
        assert plan(skeleton(arch, 8), footprints.target).arena == found.arena
        assert footprints.fits(arch, 1 << 20) == (found.sram <= sram)
        assert footprints.fits(arch, found.flash) == (found.sram <= sram)
        assert not footprints.fits(arch, found.flash - 1)


def test_a_network_that_cannot_begin_with_rows_is_refused() -> None:
    sketch = Sketch((1, 64))
    sketch.fully_connected("input", 5)
    with pytest.raises(BuildError, match=r'engine.input: found "stream", but layer 0 .* Set input = "array"'):
        plan(sketch.graph(), Target.of(BOARD, STREAM))
