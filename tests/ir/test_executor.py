"""The executor against TensorFlow Lite Micro's kernels, written one scalar at a time, on random networks.

Real networks and the other operators: tests/importers.
"""

from dataclasses import replace

import numpy as np
import pytest

from mcubuild.ir import executor
from mcubuild.ir.graph import Graph, Quantization, Tensor
from mcubuild.ir.ops.elementwise import Add, Div
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Conv2D, FullyConnected
from tests.ir import scalar
from tests.networks import random_inputs, random_network


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(12))
def test_scalar_kernels_on_random_networks(seed: int, bits: int) -> None:
    graph = random_network(seed, bits)
    inputs = random_inputs(graph, 3, seed)
    got = executor.run_all(graph, inputs)
    for sample in range(len(inputs)):
        values = {name: array[sample : sample + 1] for name, array in got.items()}
        for op in graph.ops if sample == 0 else graph.ops[-2:]:
            expected = scalar.execute(graph, op, values)
            assert (values[op.output] == expected).all(), (op, sample)


def test_run_gives_what_run_all_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when memory forces batches of one or a few samples."""
    graph = random_network(7)
    inputs = random_inputs(graph, 11)
    expected = executor.run_all(graph, inputs)[graph.outputs[0]]
    assert (executor.run(graph, inputs) == expected).all()
    largest = max(executor._working_bytes(graph, op) for op in graph.ops)
    for samples in (1, 3):
        monkeypatch.setattr(executor, "_BATCH_BYTES", samples * largest)
        assert (executor.run(graph, inputs) == expected).all()
        assert (executor.run_all(graph, inputs)[graph.outputs[0]] == expected).all()
    assert executor.run(graph, inputs[:0]).shape == (0, *expected.shape[1:])


def single(
    op: AveragePool2D | FullyConnected, shape: tuple[int, ...], out: tuple[int, ...], **constants: object
) -> Graph:
    """A graph of one operator with scales of 1."""
    unit = Quantization((1.0,))
    tensors = {"x": Tensor("x", shape, quantization=unit), "y": Tensor("y", out, quantization=unit)}
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    for name, array in arrays.items():
        kind, bits = ("int8", 8) if array.dtype == np.int8 else ("int32", 32)
        tensors[name] = Tensor(name, array.shape, kind, bits, unit)  # type: ignore[arg-type]
    return Graph("single", tensors, (op,), ("x",), ("y",), arrays)


def test_average_rounds_half_away_from_zero() -> None:
    graph = single(AveragePool2D("x", "y", (1, 2)), (1, 1, 2, 1), (1, 1, 1, 1))
    inputs = np.array([[1, 2], [-1, -2], [2, 3], [-2, -3], [0, 1], [0, -1], [127, 127], [-128, -127]], np.int8)
    got = executor.run(graph, inputs.reshape(-1, 1, 2, 1)).reshape(-1)
    assert got.tolist() == [2, -2, 3, -3, 1, -1, 127, -128]


def test_sums_beyond_float32_stay_exact() -> None:
    """4096 products of 255 * 127 need 27 bits; the bias brings the sum to where one too few would show."""
    size = 4096
    weights = np.full((1, size), 127, np.int8)
    weights[0, 0] = 126
    bias = np.array([-(size * 255 * 127)], np.int32)
    op = FullyConnected("x", "w", "b", "y")
    graph = single(op, (1, size), (1, 1), w=weights, b=bias)
    tensors = {**graph.tensors, "x": replace(graph.tensor("x"), quantization=Quantization((1.0,), -128))}
    tensors["y"] = replace(graph.tensor("y"), quantization=Quantization((16.0,)))
    inputs = np.full((2, size), 127, np.int8)
    inputs[1, 1:3] = 126
    # -255 / 16 and (-255 - 2 * 127) / 16.
    assert executor.run(replace(graph, tensors=tensors), inputs).reshape(-1).tolist() == [-16, -32]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((1, 3), np.int8)}, "inputs are int8"),
        ({"inputs": np.zeros((1, 4), np.uint8)}, "inputs are uint8"),
        ({"constants": {}}, "skeleton"),
        ({"quantization": None}, "'x' has no quantisation"),
        ({"quantization": Quantization((1.0, 2.0))}, "must have one"),
    ],
)
def test_what_cannot_be_run_is_told(change: dict[str, object], message: str) -> None:
    op = FullyConnected("x", "w", "b", "y")
    graph = single(op, (1, 4), (1, 1), w=np.ones((1, 4), np.int8), b=np.zeros(1, np.int32))
    inputs = change.get("inputs", np.zeros((1, 4), np.int8))
    if "constants" in change:
        graph = replace(graph, constants={})
    if "quantization" in change:
        tensor = Tensor("x", (1, 4), quantization=change["quantization"])  # type: ignore[arg-type]
        graph = replace(graph, tensors={**graph.tensors, "x": tensor})
    with pytest.raises(ValueError, match=message):
        executor.run(graph, inputs)  # type: ignore[arg-type]


def test_random_networks_exercise_every_operator() -> None:
    """Guards the generator that other packages test with: every kind of operator, lively outputs, a fixed seed."""
    graphs = [random_network(seed, bits) for seed in range(20) for bits in (8, 4)]
    kinds = {type(op) for graph in graphs for op in graph.ops}
    assert len(kinds) == 5
    assert any(isinstance(op, Add) and op.left == op.right for graph in graphs for op in graph.ops)
    assert any(isinstance(op, Conv2D) and op.padding[0] != op.padding[1] for graph in graphs for op in graph.ops)
    lively = [np.unique(executor.run(graph, random_inputs(graph, 20))).size > 15 for graph in graphs]
    assert np.mean(lively) > 0.9
    again = random_network(3)
    assert all((again.constants[name] == graphs[6].constants[name]).all() for name in again.constants)
    assert again.tensors == graphs[6].tensors


def test_quotients() -> None:
    """A divisor of 0 counts as 1; both signs of the divisor."""
    left, right = [1, -2, 0, 1, -1, 3, -3], [4, 5, 3, 0, 0, -6, -5]
    tensors = {
        name: Tensor(name, (1, 7), quantization=Quantization((scale,), zero))
        for name, scale, zero in (("left", 0.5, 2), ("right", 0.5, -1), ("y", 1 / 128, 3))
    }
    constants = {"right": np.array([right], np.int8) - np.int8(1)}
    graph = Graph("div", tensors, (Div("left", "right", "y"),), ("left",), ("y",), constants)
    found = executor.run(graph, np.array([left], np.int8) + np.int8(2))
    assert found.tolist() == [[3 + 32, 3 - 51, 3, 127, 3 - 128, 3 - 64, 3 + 77]]
    wide = replace(graph, tensors={**tensors, "y": replace(tensors["y"], quantization=Quantization((8.0,)))})
    with pytest.raises(ValueError, match="shifted by more than 31 bits"):
        executor.run(wide, np.zeros((1, 7), np.int8))
