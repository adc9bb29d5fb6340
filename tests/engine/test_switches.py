"""Every switch of [engine]: no bit changes, whatever is switched off, and each is worth something somewhere."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.engine.footprint import combine, estimate_stretch, fits
from mcubuild.engine.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from tests.engine.skeletons import Sketch
from tests.engine.test_generated_c import Compiled
from tests.engine.values import with_random_values
from tests.networks import random_inputs, random_network

SWITCHES = tuple(name for name in EngineSettings.model_fields if name != "plan")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def settings(off: Mapping[str, bool] | tuple[str, ...], plan: str = "smallest") -> EngineSettings:
    return EngineSettings.model_validate({"plan": plan, **dict.fromkeys(off, False)})


FEW = (*((name,) for name in SWITCHES), SWITCHES)
"""Each switch off, and all."""


def many() -> list[tuple[str, ...]]:
    """Each alone on, the first ones on as in the ablation, and some more."""
    rng = np.random.default_rng(0)
    sets = [tuple(other for other in SWITCHES if other != name) for name in SWITCHES]
    sets += [SWITCHES[count:] for count in range(1, len(SWITCHES) - 1)]
    sets += [tuple(name for name in SWITCHES if rng.random() < 0.4) for _ in range(8)]
    return sets


def mobile() -> Graph:
    """A stem, inverted bottlenecks with and without residual, a head; rows and columns of odd numbers."""
    sketch = Sketch((1, 21, 19, 3))
    last = sketch.conv("input", 8, 3, 2)
    last = sketch.bottleneck(last, 24, 8, 5)
    last = sketch.bottleneck(last, 25, 7, 3, 2)
    last = sketch.bottleneck(last, 21, 7, 7)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph())


@needs_gcc
@pytest.mark.parametrize("off", FEW, ids="-".join)
def test_no_bit_changes(tmp_path: Path, off: tuple[str, ...]) -> None:
    check(mobile(), off, tmp_path)


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("off", many(), ids="-".join)
def test_no_bit_changes_in_random_networks(tmp_path: Path, off: tuple[str, ...], bits: int) -> None:
    check(random_network(len(off) + 10 * bits, bits), off, tmp_path)


def check(graph: Graph, off: tuple[str, ...], folder: Path) -> None:
    inputs = random_inputs(graph, 3)
    outputs = Compiled(graph, folder, "gcc", settings(off)).run(inputs)
    np.testing.assert_array_equal(outputs, run(graph, inputs), f"off: {', '.join(off)}")
