"""The data behind the figures."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs
from PIL import Image

from mcubuild.artifacts.plan import Planned, PlannedTensor, Predicted
from mcubuild.artifacts.searched import Ceilings, Evaluated, Method, Searched
from mcubuild.artifacts.spaces import ComparedSpace, Macs, Smallest, SpaceLimits, SpaceTable
from mcubuild.report.architecture import blocks, by_size
from mcubuild.report.layers import Layer, by_kind, memory_plot
from mcubuild.report.plot import Axis, Curve, Plot, linear, nice_ticks
from mcubuild.report.search import front_table, history_plot, pareto_plot
from mcubuild.report.space import cdf_plot, heat_tables, lines, nothing_fits, ranked
from mcubuild.report.training import plots
from mcubuild.resolution import square
from mcubuild.tasks.classification import ACCURACY
from mcubuild.tasks.classification import confusion as classes
from mcubuild.tasks.classification.reading import Classification

READS = Classification(units=2, scale=1, zero_point=0)


def layer(index: int, kind: str, inputs: tuple[int, ...], outputs: tuple[int, ...], kernel: int = 1) -> Layer:
    return Layer(
        index=index, name=f"layer_{index:02d}_{kind}", kind=kind, output="", shape_in=(1, *inputs),
        shape_out=(1, *outputs), kernel=(kernel, kernel), stride=1, macs=0 if kind == "add" else 100, bits=8,
        output_bits=8, weights=10, live=10, cycles=50, instructions=40,
    )  # fmt: skip


NETWORK = [
    layer(0, "conv2d", (8, 8, 1), (4, 4, 16), 3),
    layer(1, "depthwise", (4, 4, 16), (4, 4, 16), 3),
    layer(2, "pointwise", (4, 4, 16), (4, 4, 8)),
    layer(3, "pointwise", (4, 4, 8), (4, 4, 48)),
    layer(4, "depthwise", (4, 4, 48), (4, 4, 48), 7),
    layer(5, "pointwise", (4, 4, 48), (4, 4, 8)),
    layer(6, "add", (4, 4, 8), (4, 4, 8)),
    layer(7, "pointwise", (4, 4, 8), (4, 4, 24)),
    layer(8, "depthwise", (4, 4, 24), (2, 2, 24), 5),
    layer(9, "pointwise", (2, 2, 24), (2, 2, 12)),
    layer(10, "average_pool", (2, 2, 12), (1, 1, 12)),
    layer(11, "fully_connected", (1, 1, 12), (10,)),
]


def test_layers_form_the_blocks_that_architectures_name() -> None:
    row = blocks(NETWORK)
    assert [block.title for block in row] == ["conv", "MB1", "MB6", "MB3", "pool", "linear"]
    assert [block.kernel for block in row] == [3, 3, 7, 5, 1, 1]
    assert [block.channels for block in row] == [
        (1, 16, 16),
        (16, 16, 8),
        (8, 48, 8),
        (8, 24, 12),
        (12, 12, 12),
        (12, 12, 10),
    ]
    assert [block.residual for block in row] == [False, False, True, False, False, False]
    assert [(block.first, block.last) for block in row] == [(0, 0), (1, 2), (3, 6), (7, 9), (10, 10), (11, 11)]
    assert sum(block.cycles for block in row) == pytest.approx(1)
    assert [(size, len(group)) for size, group in by_size(row)] == [(square(4), 3), (square(2), 1), (square(1), 2)]


def test_a_1x1_convolution_in_the_general_kernel_belongs_to_its_block() -> None:
    general = [replace(one, kind="conv2d") if one.index in (5, 7) else one for one in NETWORK]
    assert [block.title for block in blocks(general)] == ["conv", "MB1", "MB6", "MB3", "pool", "linear"]


def test_layers_of_other_networks_stand_alone() -> None:
    row = blocks([layer(0, "add", (4, 4, 8), (4, 4, 8)), layer(1, "depthwise", (4, 4, 8), (4, 4, 8), 3)])
    assert [block.title for block in row] == ["add", "dw"]


def test_parameters_are_weights_and_biases() -> None:
    expected = [16 * 10, 16 * 10, 8 * 17, 48 * 9, 48 * 50, 8 * 49, 0, 24 * 9, 24 * 26, 12 * 25, 0, 10 * 13]
    assert [one.parameters for one in NETWORK] == expected


def test_shares_by_kind_add_up() -> None:
    kinds = by_kind(NETWORK)
    assert sum(kind.cycles for kind in kinds) == pytest.approx(1)
    assert sum(kind.macs for kind in kinds) == pytest.approx(1)
    assert kinds[0].title == "pointwise" and kinds[0].count == 5 and kinds[0].per_mac == 0.5
    assert next(kind for kind in kinds if kind.title == "addition").per_mac is None


def test_memory_rectangles_lie_where_the_plan_says() -> None:
    plan = Planned(
        arena=4096,
        lower_bound=3072,
        layers=(),
        tensors=(
            PlannedTensor("input", 0, 1024, (1, 32, 32, 1), first=0, last=0),
            PlannedTensor("kept", 1024, 2048, (1, 2048), first=1, last=4),
            PlannedTensor("layer_02_conv2d scratch", 3072, 1024, (1024,), first=2, last=2),
        ),
        predicted=Predicted(sram=0, flash=0, weights=0, code=0, cycles=0),
    )
    boxes = memory_plot(plan).boxes
    assert [(box.x, box.y, box.style) for box in boxes] == [
        ((0, 1), (0, 1), "live"),
        ((1, 5), (1, 3), "kept"),
        ((2, 3), (3, 4), "scratch"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (97.2, 98.9, [97.5, 98, 98.5]),
        (0, 0.013, [0, 0.005, 0.01]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_axes_place_values_in_percent() -> None:
    assert [Axis(2, 4).at(value) for value in (2, 3, 4)] == [0, 50, 100]
    assert linear([90, 99], "", str, most=100).high <= 100
    assert linear([], "", str).low < linear([], "", str).high
    plot = Plot("", Axis(0, 2), Axis(0, 10))
    assert plot.path(Curve([(0, 0), (1, 5), (2, 10)], "")) == "0,100 50,50 100,0"


def test_confusions_and_the_worst_mistakes() -> None:
    outputs = np.array([[10, 0, 0], [0, 90, 0], [0, 0, 30], [5, 0, 0]], np.int8)
    true = np.array([0, 0, 1, 2])
    images = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1)
    matrix = classes.confusion_matrix(true, outputs.argmax(1), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    found = classes.confusions(matrix, "abc")
    assert [(item.true, item.predicted, item.share) for item in found] == [
        ("b", "c", 1),
        ("c", "a", 1),
        ("a", "b", 0.5),
    ]
    reads = Classification(units=3, scale=0.1, zero_point=0)
    worst = classes.mistakes(outputs, images, true, np.array([7, 8, 9, 10]), "abc", reads=reads, count=2)
    assert [(item.sample, item.true, item.predicted) for item in worst] == [(8, "a", "b"), (9, "b", "c")]
    assert worst[0].confidence == pytest.approx(np.exp(9) / (np.exp(9) + 2))
    picture = Image.open(io.BytesIO(base64.b64decode(worst[0].image.split(",")[1])))
    assert np.asarray(picture).tolist() == images[1, :, :, 0].tolist()


def test_colour_pictures_stay_in_colour() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype=np.uint8)
    (mistake,) = classes.mistakes(
        np.array([[1, 0]], np.int8), images, np.array([1]), np.array([0]), "ab", reads=READS, count=5
    )
    picture = Image.open(io.BytesIO(base64.b64decode(mistake.image.split(",")[1])))
    assert np.array_equal(np.asarray(picture), images[0])


def test_large_pictures_are_embedded_smaller() -> None:
    (mistake,) = classes.mistakes(
        np.array([[1, 0]], np.int8),
        np.zeros((1, 300, 400, 3), np.uint8),
        np.array([1]),
        np.array([0]),
        "ab",
        reads=READS,
        count=5,
    )
    assert Image.open(io.BytesIO(base64.b64decode(mistake.image.split(",")[1]))).size == (160, 120)


def row(name: str, share: float, p80: float) -> ComparedSpace:
    *block, width, side = re.findall(r"^[a-z]{2,}|[\d.]+", name)
    return ComparedSpace(
        name=name,
        block=block[0] if block else "mobile",
        width=float(width),
        resolution=square(int(side)),
        samples=10,
        share=share,
        macs=Macs(p80 / 2, p80 / 2, p80, p80) if share else None,
        cdf=((p80 / 2, 0), (p80, 1)) if share else (),
        smallest=Smallest(1024 * int(side), 2048, float(width) / 10, 100),
    )


def test_spaces_with_too_few_networks_do_not_compete() -> None:
    spaces = (row("w0.5-r32", 0.6, 2e6), row("w0.6-r32", 0.02, 3e6), row("w0.5-r16", 0, 0), row("w0.6-r16", 0, 0))
    limits = SpaceLimits(4096, 8192, latency=0.04, energy=1.48e-3)
    table = SpaceTable("w0.5-r32", ("w0.5-r32",), "4 spaces", limits, 37, spaces)
    assert len(cdf_plot(table.winner, table.spaces).curves) == 1
    assert [line[:3] for line in ranked(table)[1:]] == [
        ["1", "w0.5-r32", "60.0%"],
        ["", "w0.6-r32", "2.0%"],
    ]
    text = list(lines(table))
    assert text[0] == "4 spaces" and "2 M" in text[4] and text[-1].endswith("Chosen: w0.5-r32.")
    assert text[1].endswith("40.0 ms; 1.48 mJ are 40.0 ms at 37 mW (modelled: active power x time).")
    assert text[-2] == (
        "Nothing fits in 2 of the 4 spaces; "
        "the least that any of their smallest networks needs: 16.0 kB SRAM, 2.0 kB Flash, 50.0 ms."
    )
    assert nothing_fits(structs.replace(table, spaces=spaces[:1])) == ""
    (heat,) = heat_tables(table)
    assert heat.resolutions == [square(16), square(32)] and [width for width, _ in heat.rows] == [0.6, 0.5]
    wide, narrow = heat.rows[0][1], heat.rows[1][1]
    assert wide[0] is None and narrow[0] is None
    assert wide[1] is not None and not wide[1].competes and not wide[1].best and wide[1].text == "3"
    assert narrow[1] is not None and narrow[1].competes and narrow[1].best and narrow[1].heat == pytest.approx(2 / 3)


def test_spaces_are_compared_with_those_of_the_same_blocks() -> None:
    spaces = [row("w0.5-r32", 0.6, 2e6), row("w0.6-r32", 0.3, 1e6), row("plain-w0.5-r32", 0.4, 9e6)]
    spaces = [spaces[2], *spaces[:2], row("residual-w0.5-r32", 0, 0)]
    limits = SpaceLimits(4096, 8192, latency=None, energy=None)
    table = SpaceTable("w0.5-r32", ("w0.5-r32", "plain-w0.5-r32"), "3 spaces", limits, None, tuple(spaces))
    assert [line[:2] for line in ranked(table)[1:]] == [["1", "w0.5-r32"], ["2", "w0.6-r32"], ["1", "plain-w0.5-r32"]]
    assert len(cdf_plot(table.winner, table.spaces).curves) == 2
    assert [(heat.block, len(heat.rows)) for heat in heat_tables(table)] == [("plain", 1), ("mobile", 2)]
    assert list(lines(table))[-1].endswith("Short trainings decide among w0.5-r32, plain-w0.5-r32.")
    titles, *text = list(lines(table))[3:6]
    assert {line.index("%") for line in text} == {titles.index("fit") + 2}


def looked_at(latency: float, accuracy: float) -> Evaluated:
    return Evaluated(f"{latency}", "evolution", 0, accuracy, 1 - accuracy, 10**6, 2048, 3072, 1e6, latency)


def searched(found: Sequence[Evaluated], *, latency: float | None = None) -> Searched:
    """By evolution alone; all that it found is the front."""
    evaluations: dict[Method, tuple[Evaluated, ...]] = {"evolution": tuple(found), "random": ()}
    limits = Ceilings(sram=None, flash=None, latency=latency)
    return Searched(limits, "accuracy", None, found[0], tuple(found), {}, evaluations)


def test_best_so_far_and_the_frontier() -> None:
    found = [looked_at(0.01, 0.5), looked_at(0.03, 0.4), looked_at(0.02, 0.7)]
    search = searched(found, latency=0.04)
    chosen = looked_at(0.02, 0.7)
    history = history_plot(search, ACCURACY)
    assert [list(curve.points) for curve in history.curves] == [[(1, 50), (2, 50), (2, 50), (3, 50), (3, 70)]]
    plot = pareto_plot(search, chosen, ACCURACY)
    assert list(plot.curves[0].points) == [(10, 50), (20, 50), (20, 70)]
    assert [rule.value for rule in plot.rules] == [40]
    assert not pareto_plot(searched(found, latency=1), chosen, ACCURACY).rules
    assert not pareto_plot(searched(found), chosen, ACCURACY).rules
    assert plot.dots[0].hint == "evolution: 50.0 %, 10.0 ms, 2.0 kB SRAM, 3.0 kB Flash, 1.00 million MACs"


def test_the_table_of_the_front_is_short_and_has_the_network_that_was_built() -> None:
    front = [looked_at(0.01 * n, 0.01 * n) for n in range(60, 0, -1)]
    table = front_table(searched(front), front[17])
    assert table.all == 60 and len(table.rows) == 17
    assert [row.key for row in table.rows if row.built] == [front[17].key]
    assert (table.rows[0].latency, table.rows[-1].latency) == ("600.0 ms", "10.0 ms")
    assert len(front_table(searched(front[:3]), front[0]).rows) == 3
    assert len(front_table(searched(front[:1]), front[0]).rows) == 1


def test_training_curves_name_what_the_log_names() -> None:
    log = [
        {"steps": 10, "loss": 2.0 / n, "train_accuracy": 0.1 * n, "val_accuracy_largest": 0.11 * n} for n in (1, 2, 3)
    ]
    accuracy, loss = plots(log, ACCURACY)
    assert [text for _, text in accuracy.legend] == ["largest, validation", "training"]
    assert list(loss.curves[0].points) == [(10, 2.0), (20, 1.0), (30, pytest.approx(2 / 3))]
