"""Boxes in a firmware: those of the reference bit by bit, in the arena, counted as a layer of their own."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.measure.runner import measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.tasks.detection.decode import BOX_BYTES, Decoding
from mcubuild.tasks.detection.reading import Detection
from mcubuild.toolchain.compile import link
from mcubuild.toolchain.firmware import generate as generate_firmware

SAMPLES = 6


@pytest.mark.parametrize(("name", "prefix"), [("stm32f412", "model"), ("stm32f746", "cells")])
@pytest.mark.parametrize(("most", "grid"), [(3, (6, 6)), (60, (6, 6)), (60, (4, 9)), (60, (9, 4))])
def test_the_elf_gives_the_boxes_of_the_reference(
    name: str, prefix: str, most: int, grid: tuple[int, int], tmp_path: Path
) -> None:
    shape = (8 * grid[0], 8 * grid[1], 3)
    board, decoding = read_board(name), Decoding(grid, shape[:2], ((0.2, 0.1), (0.5, 0.6)), 3, 0.06, 4, most=most)
    sketch = Sketch((1, *shape))
    sketch.conv(sketch.conv("input", 8, 3, 8), decoding.channels)
    graph = with_random_values(sketch.graph())
    target, c = Target.of(board, EngineSettings(), 100_000), tmp_path / "c"
    c.mkdir()
    generate(graph, plan(graph, target), target, c, stack=2048, after=decoding, prefix=prefix)
    generate_firmware(board, 2048, c, prefix)
    link(c, board, FirmwareSettings(prefix=prefix), tmp_path)
    layers = [layer["name"] for layer in json.loads((c / "plan.json").read_text())["layers"]]
    inputs = np.random.default_rng(0).integers(-128, 128, (SAMPLES, *shape), np.int8)
    found = measure(tmp_path / "firmware.elf", board, MeasureSettings(), inputs, layers)
    reads = Detection(decoding)
    expected = reads.completed(run(graph, inputs).reshape(SAMPLES, -1), inputs)
    assert (found.outputs == expected).all() and expected.shape[1] == 36 * decoding.channels + BOX_BYTES * most
    assert sum(map(len, reads.boxes(expected))) > SAMPLES, "nothing to compare"
    assert layers[-1] == f"{prefix}_boxes" and found.layers[-1].instructions > 1000
