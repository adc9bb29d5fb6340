"""What weights of 4 bits cost: inner loops that take hardly longer than those of 8 bits, and half the Flash."""

from pathlib import Path

import pytest

from mcubuild.bench.calibrate import Sample
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected
from mcubuild.spec.engine import EngineSettings
from tests.e2e.test_agreement import BOARDS
from tests.engine.building import run_layers

MOST = {Conv2D: 1.15, DepthwiseConv2D: 1.1, FullyConnected: 1.2}
"""Cycles, relative to those with 8 bits, on boards with their Flash wait states."""


def network(bits: int) -> Graph:
    """One layer of each kind that inner loops in assembly compute."""
    sketch = Sketch((1, 40, 40, 3), bits)
    last = sketch.conv("input", 8, 3, 2)
    for kernel, stride in ((3, 2), (5, 1), (7, 2), (3, 1)):
        last = sketch.bottleneck(last, 48, 24, kernel, stride)
    sketch.fully_connected(last, 16)
    return with_random_values(sketch.graph())


def measured(bits: int, board: str, store: Path) -> list[Sample]:
    """The layers with weights."""
    return [sample for sample in run_layers(network(bits), board, store) if type(sample.layer.op) in MOST]


@pytest.mark.parametrize("board", BOARDS)
def test_cycles(board: str, tmp_path: Path) -> None:
    wide, narrow = measured(8, board, tmp_path), measured(4, board, tmp_path)
    assert len(wide) == len(narrow) == 14
    for before, after in zip(wide, narrow, strict=True):
        assert after.kernel.routines(after.layer), "in assembly"
        ratio, (estimated, wide_estimate) = (
            after.cycles / before.cycles,
            (sample.kernel.cycles(sample.layer, sample.core) for sample in (after, before)),
        )
        assert ratio <= MOST[type(after.layer.op)], after.kind
        if not isinstance(after.layer.op, FullyConnected):  # on a Cortex-M7, mostly waits for Flash
            assert estimated / wide_estimate == pytest.approx(ratio, abs=0.06), after.kind
    assert sum(s.cycles for s in narrow) <= 1.1 * sum(s.cycles for s in wide)


def test_flash() -> None:
    target = Target.of(read_board(BOARDS[0]), EngineSettings())
    for before, after in zip(layers(network(8)), layers(network(4)), strict=True):
        if type(after.op) in MOST:
            nbytes = [choose(layer, target).constant_bytes(layer) for layer in (before, after)]
            assert nbytes[0] - nbytes[1] >= 0.4 * after.weights.elements, after.op
