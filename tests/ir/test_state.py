"""Operators that keep something from run to run: worked out by hand."""

import numpy as np

from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph, Quantization, Tensor, Variable
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
