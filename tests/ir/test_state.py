"""Operators that keep something from run to run: worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.ir.executor import run
from mcubuild.ir.graph import Dtype, Graph, Quantization, Tensor, Variable
from mcubuild.ir.ops.lstm import Lstm
from mcubuild.ir.ops.svdf import Svdf

ONE = Quantization((1.0,))


def test_filters_over_time() -> None:
    """Two filters of the last three inputs, joined: every scale is 1, so that integers are the numbers."""
    feature, time = np.array([[1, 0], [1, -2]], np.int8), np.array([[1, 2, 3], [-1, 0, 1]], np.int16)
    tensors = (
        Tensor("x", (1, 2), quantization=Quantization((1.0,), 3)),
        Tensor("memory", (1, 2, 3), "int16", quantization=ONE),
        Tensor("feature", (1, 2, 2), quantization=ONE),
        Tensor("time", (1, 2, 3), "int16", quantization=ONE),
        Tensor("bias", (1, 1), "int32", 32),
        Tensor("y", (1, 1), quantization=Quantization((1.0,), -10)),
    )
    graph = Graph(
        "svdf",
        {tensor.name: tensor for tensor in tensors},
        (Svdf("x", "memory", "feature", "time", "bias", "y", 2),),
        ("x",),
        ("y",),
        {"feature": feature[None], "time": time[None], "bias": np.array([[7]], np.int32)},
        {"memory": Variable("memory", np.zeros((1, 2, 3), np.int16))},
    )
    inputs = np.array([[4, 5], [1, 3], [-2, 0], [3, 3]], np.int8)
    seen = np.zeros((2, 3), int)
    expected = []
    for x in inputs.astype(int) - 3:
        seen = np.hstack([seen[:, 1:], (feature @ x)[:, None]])
        expected.append(int((seen * time).sum()) + 7 - 10)
    assert expected == [-3, -9, -17, -13]
    np.testing.assert_array_equal(run(graph, inputs.reshape(1, -1)), [expected])
    assert (graph.variables["memory"].initial == 0).all(), "the graph itself stays as it is"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_long_short_term_memory(dtype: Dtype) -> None:
    """Close to what floating point gives, over three runs of four steps."""
    rng, units, inputs, steps, wide = np.random.default_rng(0), 5, 3, 4, dtype == "int16"
    weights, recurrent = (rng.integers(-127, 128, (4 * units, n)).astype(np.int8) for n in (inputs, units))
    scales = [tuple(np.repeat(rng.uniform(0.004, 0.01, 4), units).tolist()) for _ in range(2)]
    step, zero = (2.0**-12, 0) if wide else (2.0**-5, 9)
    shown, hidden_zero = (2.0**-15, 0) if wide else (2.0**-7, -3)
    bias = rng.uniform(-1, 1, 4 * units)
    kind: Dtype = "int64" if wide else "int32"
    tensors = (
        Tensor("x", (1, steps, inputs), dtype, quantization=Quantization((step,), zero)),
        Tensor("hidden", (1, units), dtype, quantization=Quantization((shown,), hidden_zero)),
        Tensor("cell", (1, units), "int16", quantization=Quantization((2.0**-12,))),
        Tensor("weights", (1, 4 * units, inputs), quantization=Quantization(scales[0], 0, 1)),
        Tensor("recurrent", (1, 4 * units, units), quantization=Quantization(scales[1], 0, 1)),
        Tensor("bias", (1, 4 * units), kind, 64 if wide else 32),
        Tensor("y", (1, steps, units), dtype, quantization=Quantization((shown,), hidden_zero)),
    )
    graph = Graph(
        "lstm",
        {tensor.name: tensor for tensor in tensors},
        (Lstm("x", "hidden", "cell", "weights", "recurrent", "bias", "y", 0.0),),
        ("x",),
        ("y",),
        {
            "weights": weights[None],
            "recurrent": recurrent[None],
            "bias": np.rint(bias / (step * np.array(scales[0])))[None].astype(kind),
        },
        {
            "hidden": Variable("hidden", np.full((1, units), hidden_zero, dtype)),
            "cell": Variable("cell", np.zeros((1, units), np.int16)),
        },
    )
    levels = rng.integers(-100, 100, (2, 3, steps, inputs)) * (64 if wide else 1)
    flat = levels.astype(dtype).reshape(2, -1).view(np.int8)
    got = run(graph, flat).reshape(2, -1).view(dtype).reshape(2, 3 * steps, units)
    for sample, found in zip(levels, got, strict=True):
        hidden, cell, expected = np.zeros(units), np.zeros(units), []
        for x in (sample.reshape(3 * steps, inputs) - zero) * step:
            sums = (weights @ x) * scales[0] + (recurrent @ hidden) * scales[1] + bias
            entered, forgotten, candidate, output = np.split(sums, 4)
            cell = sigmoid(forgotten) * cell + sigmoid(entered) * np.tanh(candidate)
            hidden = sigmoid(output) * np.tanh(cell)
            expected.append(hidden)
        real = (found.astype(np.float64) - hidden_zero) * shown
        np.testing.assert_allclose(real, expected, atol=0.002 if wide else 0.03)
        assert np.ptp(real) > 0.5
