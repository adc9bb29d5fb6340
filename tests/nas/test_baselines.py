"""Published networks: one description gives the float network and the graph whose footprint is asked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from mcubuild.board import read_board
from mcubuild.data.splits import Index
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.footprint import estimate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError, NothingFitsError
from mcubuild.ir.executor import run
from mcubuild.nas.search.scaling import frontier, scale
from mcubuild.nas.space.baselines import BASELINES, Baseline
from mcubuild.nas.space.blocks import Cells, Flat, Head
from mcubuild.nas.space.described import read_described
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import baselines_for
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.nas.training.network import build_network
from mcubuild.quant.quantize import quantized
from mcubuild.quant.ranges import observe
from mcubuild.resolution import Resolution, parse_resolution, square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.outline import Outline
from mcubuild.spec.space import SpaceSettings
from mcubuild.spec.spec import Spec
from mcubuild.spec.training import TrainingSettings
from tests.nas.toy import LEARNING, seconds_for, split

BOARD = read_board("stm32f412")


def test_a_spec_may_name_each() -> None:
    literal, _ = get_args(Spec.model_fields["arch"].annotation)
    assert set(get_args(literal)) == set(BASELINES)


@pytest.mark.parametrize(
    ("name", "resolution", "channels", "classes", "millions"),
    [
        ("mobilenet_v2", 224, 3, 1000, 300),
        ("proxyless", 224, 3, 1000, 320),
        ("mnasnet", 224, 3, 1000, 315),
        ("mobilenet_v1", 224, 3, 1000, 569),
        ("resnet18", 224, 3, 1000, 1814),
        ("resnet8", 32, 3, 10, 12.5),
        ("smallcifar", 32, 3, 10, 12.3),
    ],
)
def test_they_have_the_published_work(name: str, resolution: int, channels: int, classes: int, millions: float) -> None:
    graph = skeleton(Baseline(name, 1, square(resolution), channels, classes), 8)
    assert graph.macs() / 1e6 == pytest.approx(millions, rel=0.04)


@pytest.mark.parametrize("name", BASELINES)
def test_the_float_network_becomes_the_graph_whose_footprint_was_asked(name: str, tmp_path: Path) -> None:
    baseline = Baseline(name, 0.25, square(16), 1, 3)
    asked = skeleton(baseline, 8)
    torch.manual_seed(1)
    network = build_network(baseline).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # no branch may be silent
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    samples = split(12, 3)
    samples = type(samples)(np.repeat(np.repeat(samples.x, 2, axis=1), 2, axis=2), samples.y)
    graph = quantized(asked, network, observe(network, [op.output for op in asked.ops], samples, "minmax"))

    assert graph.ops == asked.ops
    assert {name: (tensor.shape, tensor.dtype, tensor.bits) for name, tensor in graph.tensors.items()} == {
        name: (tensor.shape, tensor.dtype, tensor.bits) for name, tensor in asked.tensors.items()
    }
    target = Target.of(BOARD, EngineSettings(), None)
    # Additions share code where their scales allow it, which a graph without values cannot know.
    found, expected = (replace(estimate(one, target, 2048), code=0, flash=0) for one in (graph, asked))
    assert found == expected
    generate(graph, plan(graph, target), target, tmp_path, stack=2048)

    with torch.no_grad():
        floats = network(torch.from_numpy(samples.x).permute(0, 3, 1, 2).float() / 255).numpy()
    integers = run(graph, (samples.x.astype(np.int16) - 128).astype(np.int8)).astype(np.float64)
    scaling = graph.tensor("classifier").quantization
    assert scaling is not None
    error = np.abs(scaling.scale[0] * (integers - scaling.zero_point) - floats).max()
    assert error <= 0.15 * np.ptp(floats), "ReLUs, sums and pools are the same in both"


@pytest.mark.parametrize(("stride", "last"), [(16, "stages.4.2"), (32, "mix")])
def test_detectors_end_where_cells_have_their_stride(stride: int, last: str) -> None:
    blocks = Baseline("mobilenet_v2", 0.5, Resolution(96, 160), 3, 40, stride=stride).blocks()
    *_, before, end = blocks
    behind = blocks[before]
    assert (before, end) == (last, "head") and not isinstance(behind, Head | Flat)
    assert blocks[end] == Cells(Resolution(96, 160).reduced(stride), behind.outputs, 40)


def test_networks_whose_cells_are_too_small_are_refused() -> None:
    outline, settings = (
        Outline("object_detection", 2, 3, 96, anchors=5, stride=32),
        SpaceSettings(resolutions=(square(96),)),
    )
    assert len(baselines_for("mobilenet_v2", outline, settings)) == 9
    with pytest.raises(BuildError, match=r'"resnet8" leaves cells of 4 pixels, \[detection\] stride asks for 32'):
        baselines_for("resnet8", outline, settings)


def test_the_frontier_has_what_no_other_exceeds() -> None:
    pairs = ((0.5, 32), (0.5, 16), (1.0, 16), (1.0, 8), (0.2, 32), (1.0, "8x16"), (1.0, "8x24"))
    sizes = [Baseline("resnet8", width, parse_resolution(size), 1, 3) for width, size in pairs]
    assert [size.name for size in frontier(sizes)] == [f"resnet8-{name}" for name in ("w0.5-r32", "w1-r16", "w1-r8x24")]


def scaled(folder: Path, budget: Budget) -> None:
    index = Index("toy", "image_classification", ("a", "b", "c"), 8, 12, 1)
    space = SpaceSettings(widths=(0.25, 0.5, 1.0), resolutions=(square(8), square(12)))
    scale(
        "resnet8",
        index,
        split(64, 1),
        split(32, 2),
        space,
        TrainingSettings(epochs=1, batch=32, learning_rate=0.1, label_smoothing=0.1),
        Deployment(BOARD, budget=budget),
        learning=LEARNING,
        seed=0,
        out=folder,
        work=folder / "work",
    )


def test_what_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    limit = estimate(
        skeleton(Baseline("resnet8", 0.5, square(12), 1, 3), 8), Target.of(BOARD, EngineSettings(), None), 2048
    )
    scaled(tmp_path, Budget(flash=limit.flash + 1000))
    chosen = read_described(tmp_path / "arch.json")
    assert isinstance(chosen, Baseline)
    assert chosen.width <= 0.5
    needs = estimate(skeleton(chosen, 8), Target.of(BOARD, EngineSettings(), None), 2048)
    assert needs.flash <= limit.flash + 1000


def test_sizes_train_at_once_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widest = estimate(
        skeleton(Baseline("resnet8", 1.0, square(8), 1, 3), 8), Target.of(BOARD, EngineSettings(), None), 2048
    )
    budget = Budget(latency=seconds_for(widest.cycles, BOARD))
    scaled(tmp_path / "many", budget)
    table = json.loads((tmp_path / "many/scaling.json").read_text())
    trained = [size["name"] for size in table["fitting"] if size["accuracy"] is not None]
    assert trained == ["resnet8-w0.5-r12", "resnet8-w1-r8"]
    accuracies = {size["name"]: size["accuracy"] for size in table["fitting"] if size["accuracy"] is not None}
    assert len(set(accuracies.values())) == 2, "one is better"
    assert table["chosen"] == max(accuracies, key=lambda name: accuracies[name])
    side = int(table["chosen"].split("-r")[1])
    assert read_described(tmp_path / "many/arch.json").to_json()["resolution"] == {"height": side, "width": side}
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    scaled(tmp_path / "one", budget)
    assert json.loads((tmp_path / "one/scaling.json").read_text()) == table


@pytest.mark.parametrize("name", BASELINES)
def test_blocks_add_up_to_the_whole_network(name: str) -> None:
    for side, sram in ((32, 320 << 10), (32, 20 << 10), (48, None)):
        baseline = Baseline(name, 0.25, square(side), 3, 10)
        footprints = Footprints(Deployment(BOARD, budget=Budget(sram=sram)))
        assert footprints.of(baseline) == estimate(skeleton(baseline, 8), footprints.target, 2048)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingFitsError, match=r'arch = "resnet8" fits .* at none of the 6 sizes; resnet8-w0\.25-r8'):
        scaled(tmp_path, Budget(flash=1000))
    with pytest.raises(NothingFitsError, match=r"within 1\.0 us at none of the 6 sizes; .* the fastest \d+"):
        scaled(tmp_path, Budget(latency=1e-6))
