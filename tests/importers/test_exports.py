"""Networks as exporters write them take what those of our own take: time, memory, rows as they come."""

from pathlib import Path

import numpy as np
import pytest

from mcubuild.bench.networks import network
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.memory.pieces import pieces
from mcubuild.engine.memory.segments import choose_segments
from mcubuild.engine.target import Target
from mcubuild.importers.tflite import converted, import_tflite
from mcubuild.ir import executor
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.movement import Pad
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D
from mcubuild.spec.engine import EngineSettings
from tests.engine.chains import FED, ON, check_bits
from tests.importers.exports import EXPORTS, export, figures
from tests.importers.reference import micro_tensors, needs_micro
from tests.importers.writer import Writer, write


def small() -> Graph:
    """Blocks with strides on odd and even sizes, a residual, a wide filter."""
    sketch = Sketch((1, 23, 18, 3))
    last = sketch.conv("input", 8, 5, 2)
    last = sketch.bottleneck(last, 24, 8, 3, 2)
    last = sketch.bottleneck(last, 16, 8, 7)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph())


@needs_micro
@pytest.mark.parametrize("name", ["mobile-80-torch", "person-96-keras"])
def test_tensors_are_micros(tmp_path: Path, name: str) -> None:
    """All that rewriting leaves under the file's number."""
    data = EXPORTS[name]()
    graph = import_tflite(write(tmp_path / f"{name}.tflite", data)).graph
    inputs = np.random.default_rng(0).integers(-128, 128, graph.tensor(graph.inputs[0]).shape, np.int8)
    numbers = {int(op.output.split(".")[0][1:]): op.output for op in graph.ops if not op.output.endswith(".row")}
    got, expected = executor.run_all(graph, inputs), micro_tensors(data, [inputs], list(numbers))
    for number, tensor in numbers.items():
        np.testing.assert_array_equal(got[tensor].ravel(), expected[number].ravel(), tensor)
    assert len(numbers) >= len(graph.ops) - 1
    assert sum(len(np.unique(values)) > 50 for values in expected.values()) > 5


def test_padding_of_exports_costs_nothing(tmp_path: Path) -> None:
    """The arena of the fastest and of the smallest plan are those of the network that pads as TensorFlow does."""
    graph = import_tflite(write(tmp_path / "net.tflite", EXPORTS["mobile-80-torch"]())).graph
    assert not any(isinstance(op, Pad) for op in graph.ops)
    fast, least, _ = figures(graph, "stm32f412")
    own_fast, own_least, _ = figures(network("mobile-80"), "stm32f412")
    assert fast <= own_fast
    assert least <= 1.03 * own_least
    assert pieces(graph, FED)[0].flow is not None


def test_bits_of_exports_in_chains(tmp_path: Path) -> None:
    graph = import_tflite(write(tmp_path / "net.tflite", export(small(), torch=True))).graph
    check_bits(graph, tmp_path, 1)


def test_one_input_channel_is_no_depthwise_convolution(tmp_path: Path) -> None:
    file = write(tmp_path / "net.tflite", EXPORTS["person-96-keras"]())
    before, after = converted(file).graph, import_tflite(file).graph
    assert isinstance(before.ops[0], DepthwiseConv2D)
    assert isinstance(after.ops[0], Conv2D)
    assert figures(after, "stm32f412")[2] < 0.95 * figures(before, "stm32f412")[2]


@pytest.mark.parametrize("channels", [False, True])
def test_other_padding_is_streamed(tmp_path: Path, channels: bool) -> None:
    """With what is not the zero point, or of channels: neither convolution takes it in."""
    w = Writer()
    size = 40
    x = w.tensor((1, size, size, 8), scale=0.05, zero_point=3)
    rng = np.random.default_rng(0)
    last, depth, side = x, 8, size
    for _ in range(3):
        more = 2 * channels
        pads = w.tensor((4, 2), "int32", values=np.array([(0, 0), (2, 1), (0, 3), (more, 0)]))
        filling = w.tensor((1,), scale=0.05, zero_point=3, values=np.array([3 if channels else -7]))
        padded = w.tensor((1, side + 3, side + 3, depth + more), scale=0.05, zero_point=3)
        w.operator("PADV2", [last, pads, filling], [padded])
        weights = w.tensor(
            (8, 3, 3, depth + more), scale=0.004, values=rng.integers(-127, 128, (8, 3, 3, depth + more))
        )
        bias = w.tensor((8,), "int32", values=rng.integers(-99, 99, 8))
        side, depth = side + 1, 8
        last = w.tensor((1, side, side, depth), scale=0.05, zero_point=3)
        options = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        w.operator("CONV_2D", [padded, weights, bias], [last], **options)
    graph = import_tflite(write(tmp_path / "net.tflite", w.finish([x], [last]))).graph
    assert sum(isinstance(op, Pad) for op in graph.ops) == 3
    whole = graph.tensor(graph.outputs[0]).nbytes
    least = choose_segments(pieces(graph, ON), 0)
    assert max(segment.height for segment in least) < 1.4 * whole < 2 * graph.tensor(graph.ops[0].output).nbytes
    stream = Target.of(read_board("stm32f412"), EngineSettings(input="stream"))
    assert pieces(graph, stream)[0].flow is not None
    check_bits(graph, tmp_path, 2)
