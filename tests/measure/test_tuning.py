"""Autotuning: what the emulator measures decides, whatever the estimates say, and is measured once."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.cores.costs import costs_of
from mcubuild.engine.kernels import choose, kernels
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.footprint import target_of
from mcubuild.errors import BuildError
from mcubuild.ir.graph import Graph
from mcubuild.measure.tuning import Bench, tune
from mcubuild.spec.deployment import Deployment

BENCH = Bench(Deployment(read_board("stm32f412")), code="of this test")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))


def network(seed: int = 0) -> Graph:
    """A depthwise convolution, which three kernels compute, and its sum with its input, which two do."""
    sketch = Sketch((1, 6, 6, 4))
    sketch.add("input", sketch.depthwise("input"))
    return with_random_values(sketch.graph(), seed)


def tuned(graph: Graph, folder: Path, bench: Bench = BENCH) -> dict[str, dict[str, object]]:
    folder.mkdir()
    tune(graph, bench, folder)
    found: dict[str, dict[str, object]] = json.loads((folder / "tune.json").read_text())["layers"]
    return found


def test_the_fastest_is_taken_even_where_the_estimate_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depthwise, _ = layers(network())
    (kernel,) = (one for one in kernels(BENCH.deployment.engine) if one.kind == "depthwise")
    free = dict.fromkeys(kernel.work(depthwise), 0.0)

    def costs(core: str, kinds: tuple[str, ...]) -> tuple[Mapping[str, float], float]:
        return (free, 1.0) if kinds == ("depthwise",) else costs_of(core, kinds)

    monkeypatch.setattr("mcubuild.engine.kernels.base.costs_of", costs)
    target = target_of(BENCH.deployment)
    assert choose(depthwise, target).kind == "depthwise"

    found = tuned(network(), tmp_path / "out")
    assert {name: set(layer["cycles"]) for name, layer in found.items()} == {  # type: ignore[call-overload]
        "t0": {"depthwise", "depthwise_columns", "depthwise_rows"},
        "t1": {"add", "add_dsp"},
    }
    for layer in found.values():
        cycles = layer["cycles"]
        assert isinstance(cycles, dict) and min(cycles.values()) > 0
        assert layer["kernel"] == min(cycles, key=cycles.__getitem__)
    assert found["t0"]["kernel"] == "depthwise_rows"
    kinds = {name: str(layer["kernel"]) for name, layer in found.items()}
    assert choose(depthwise, replace(target, tuned=kinds)).kind == "depthwise_rows"


def test_networks_of_the_same_shapes_share_measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tuned(network(), tmp_path / "first")

    def refuse(self: Bench, graph: Graph, kind: str) -> int:
        raise AssertionError(f"{kind} is measured once more")

    monkeypatch.setattr(Bench, "_measure", refuse)
    assert tuned(network(seed=1), tmp_path / "second") == first
    with pytest.raises(AssertionError, match="once more"):
        tuned(network(), tmp_path / "third", replace(BENCH, code="newer"))


def test_layers_that_do_not_fit_the_board_are_measured_in_part() -> None:
    sketch = Sketch((1, 200, 200, 16))
    sketch.conv("input", 16)
    (layer,) = layers(with_random_values(sketch.graph()))
    graph = BENCH.alone(layer, ["pointwise", "pointwise_dsp"])
    assert 4 < graph.tensor("output").shape[1] < 200
    assert 2 * graph.tensor("output").nbytes < BENCH.deployment.sram


def test_a_core_without_a_cycle_model_is_refused(tmp_path: Path) -> None:
    board = BENCH.deployment.board.model_copy(update={"core": "cortex-m33"})
    with pytest.raises(BuildError, match=r"cortex-m33, whose cycles nothing models; leave engine\.tune out"):
        tune(network(), replace(BENCH, deployment=Deployment(board)), tmp_path)
