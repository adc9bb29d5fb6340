"""Operators of .tflite files in floating point, against LiteRT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.importers.network import import_network, read_network
from mcubuild.importers.tflite_file import read_file
from mcubuild.quant.brought import Calibrated, Calibration
from mcubuild.quant.floating import Network
from tests.importers.reference import host_tensors
from tests.importers.writer import Writer, write

pytestmark = pytest.mark.needs("ai_edge_litert")

IMAGE = (1, 6, 8, 4)
RNG = np.random.default_rng(0)


def real(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(0, 1, shape).astype(np.float32)


def ints(*values: Any) -> NDArray[np.int32]:
    return np.array(values, np.int32)


STRIDE = {"StrideH": 2, "StrideW": 1}
WINDOW = {"FilterHeight": 3, "FilterWidth": 2, **STRIDE}
CASES: dict[str, tuple[str, tuple[int, ...], list[Any], tuple[int, ...], dict[str, Any]]] = {
    "same": ("CONV_2D", IMAGE, [None, real(5, 3, 3, 4), real(5)], (1, 3, 8, 5), {**STRIDE, "Padding": 0}),
    "valid, relu6": (
        "CONV_2D", IMAGE, [None, real(5, 3, 3, 4), real(5)], (1, 2, 6, 5),
        {**STRIDE, "Padding": 1, "FusedActivationFunction": 3},
    ),
    "grouped": ("CONV_2D", IMAGE, [None, real(6, 3, 3, 2), real(6)], (1, 3, 8, 6), {**STRIDE, "Padding": 0}),
    "dilated": (
        "CONV_2D", IMAGE, [None, real(5, 3, 3, 4), real(5)], (1, 6, 8, 5),
        {"StrideH": 1, "StrideW": 1, "Padding": 0, "DilationHFactor": 2, "DilationWFactor": 2},
    ),
    "depthwise": (
        "DEPTHWISE_CONV_2D", IMAGE, [None, real(1, 3, 3, 8), real(8)], (1, 3, 8, 8),
        {**STRIDE, "Padding": 0, "DepthMultiplier": 2},
    ),
    "transposed, same": (
        "TRANSPOSE_CONV", IMAGE, [ints(1, 12, 8, 3), real(3, 3, 3, 4), None], (1, 12, 8, 3), {**STRIDE, "Padding": 0}
    ),
    "transposed, valid": (
        "TRANSPOSE_CONV", IMAGE, [ints(1, 13, 10, 3), real(3, 3, 3, 4), None, real(3)], (1, 13, 10, 3),
        {**STRIDE, "Padding": 1},
    ),
    "connected": ("FULLY_CONNECTED", (1, 24), [None, real(7, 24), real(7)], (1, 7), {"FusedActivationFunction": 1}),
    "matrices": ("BATCH_MATMUL", (2, 5, 6), [None, real(2, 4, 6)], (2, 5, 4), {"AdjY": True}),
    "max pool": ("MAX_POOL_2D", IMAGE, [None], (1, 3, 8, 4), {**WINDOW, "Padding": 0}),
    "average pool": ("AVERAGE_POOL_2D", IMAGE, [None], (1, 3, 8, 4), {**WINDOW, "Padding": 0}),
    "mean": ("MEAN", IMAGE, [None, ints(1, 2)], (1, 4), {}),
    "sum": ("SUM", IMAGE, [None, ints(3)], (1, 6, 8, 1), {"KeepDims": True}),
    "largest": ("REDUCE_MAX", IMAGE, [None, ints(1)], (1, 8, 4), {}),
    "add": ("ADD", IMAGE, [None, real(4)], IMAGE, {"FusedActivationFunction": 1}),
    "sub": ("SUB", IMAGE, [real(1, 1, 1, 1), None], IMAGE, {}),
    "mul": ("MUL", IMAGE, [None, real(1, 6, 1, 1)], IMAGE, {}),
    "maximum": ("MAXIMUM", IMAGE, [None, real(1)], IMAGE, {}),
    "squared difference": ("SQUARED_DIFFERENCE", IMAGE, [None, real(4)], IMAGE, {}),
    "prelu": ("PRELU", IMAGE, [None, real(1, 1, 4)], IMAGE, {}),
    "leaky": ("LEAKY_RELU", IMAGE, [None], IMAGE, {"Alpha": 0.2}),
    "hard swish": ("HARD_SWISH", IMAGE, [None], IMAGE, {}),
    "sigmoid": ("LOGISTIC", IMAGE, [None], IMAGE, {}),
    "softmax": ("SOFTMAX", IMAGE, [None], IMAGE, {"Beta": 0.5}),
    "log softmax": ("LOG_SOFTMAX", IMAGE, [None], IMAGE, {}),
    "norm": ("L2_NORMALIZATION", IMAGE, [None], IMAGE, {}),
    "pad": ("PAD", IMAGE, [None, ints((0, 0), (1, 2), (0, 3), (1, 0))], (1, 9, 11, 5), {}),
    "mirror": ("MIRROR_PAD", IMAGE, [None, ints((0, 0), (1, 2), (0, 3), (0, 0))], (1, 9, 11, 4), {"Mode": 1}),
    "transpose": ("TRANSPOSE", IMAGE, [None, ints(0, 3, 1, 2)], (1, 4, 6, 8), {}),
    "strided slice": (
        "STRIDED_SLICE", IMAGE, [None, ints(0, 5, 1, 0), ints(1, 0, 8, 2), ints(1, -2, 3, 1)], (1, 3, 3, 2), {}
    ),
    "slice": ("SLICE", IMAGE, [None, ints(0, 1, 2, 0), ints(1, 3, -1, 2)], (1, 3, 6, 2), {}),
    "gather": ("GATHER", IMAGE, [None, ints(3, 0, 3)], (1, 6, 8, 3), {"Axis": 3}),
    "blocks apart": ("DEPTH_TO_SPACE", IMAGE, [None], (1, 12, 16, 1), {"BlockSize": 2}),
    "blocks together": ("SPACE_TO_DEPTH", IMAGE, [None], (1, 3, 4, 16), {"BlockSize": 2}),
    "concatenation": ("CONCATENATION", IMAGE, [None, real(1, 6, 8, 2)], (1, 6, 8, 6), {"Axis": 3}),
    "nearest": ("RESIZE_NEAREST_NEIGHBOR", IMAGE, [None, ints(9, 5)], (1, 9, 5, 4), {"HalfPixelCenters": True}),
    "bilinear": ("RESIZE_BILINEAR", IMAGE, [None, ints(9, 5)], (1, 9, 5, 4), {}),
    "bilinear, corners": ("RESIZE_BILINEAR", IMAGE, [None, ints(9, 5)], (1, 9, 5, 4), {"AlignCorners": True}),
    "bilinear, centers": ("RESIZE_BILINEAR", IMAGE, [None, ints(9, 5)], (1, 9, 5, 4), {"HalfPixelCenters": True}),
}  # fmt: skip


def written(name: str) -> tuple[bytes, int]:
    """A network of one operator, and the number of its result."""
    kind, shape, operands, result, options = CASES[name]
    w = Writer()
    x, y = w.tensor(shape, "float32", name="x"), w.tensor(result, "float32", name="y")
    numbers = [
        x if each is None else w.tensor(each.shape, each.dtype.name, values=each, name=f"c{place}")
        for place, each in enumerate(operands)
    ]
    w.operator(kind, numbers, [y], **options)
    return w.finish([x], [y]), y


@pytest.mark.parametrize("name", CASES)
def test_operators_are_those_of_litert(tmp_path: Path, name: str) -> None:
    data, result = written(name)
    path = write(tmp_path / "net.tflite", data)
    x = real(*CASES[name][1])
    wanted = host_tensors(data, [x], [result])[result].ravel()
    assert np.abs(Network(read_file(path)).run([x]) - wanted).max() < 2e-5


@pytest.mark.parametrize("name", CASES)
def test_levels_are_near_what_they_stand_for(tmp_path: Path, name: str) -> None:
    from mcubuild.ir.executor import run, sample_shape

    path = write(tmp_path / "net.tflite", written(name)[0])
    x = np.random.default_rng(1).normal(0, 1, (8, np.prod(CASES[name][1]))).astype(np.float32)
    network = import_network(path, lambda file: Calibrated(file, Calibration(lambda _: [x], "minmax")))
    exact = Network(read_network(path))
    wanted = np.stack([exact.run([each]) for each in x])
    levels = network.inputs[0].to_levels(x).astype(np.int8).reshape(8, *sample_shape(network.graph))
    face = network.outputs[0]
    found = face.scale * (run(network.graph, levels).reshape(8, -1).astype(float) - face.zero_point)
    assert np.abs(found - wanted).max() < (0.5 if kind_of(name) == "LOG_SOFTMAX" else 0.05 * np.ptp(wanted))


def kind_of(name: str) -> str:
    return CASES[name][0]


@pytest.mark.parametrize("bits", ["float16", "int8", "dequantized"])
def test_weights_in_fewer_bits(tmp_path: Path, bits: str) -> None:
    """As converters write 16-bit floats, dynamic-range and weight-only quantisation."""
    w, weights = Writer(), real(7, 24)
    x, y = w.tensor((1, 24), "float32", name="x"), w.tensor((1, 7), "float32", name="y")
    scale = np.abs(weights).max() / 127
    if bits == "float16":
        source = w.tensor((7, 24), "float16", values=weights)
    else:
        source = w.tensor((7, 24), "int8", float(scale), values=np.round(weights / scale))
    read = source
    if bits != "int8":
        read = w.tensor((7, 24), "float32")
        w.operator("DEQUANTIZE", [source], [read])
    w.operator("FULLY_CONNECTED", [x, read, w.tensor((7,), "float32", values=real(7))], [y])
    data = w.finish([x], [y])
    path = write(tmp_path / "net.tflite", data)
    sample = real(1, 24)
    wanted = host_tensors(data, [sample], [y])[y].ravel()
    found = Network(read_network(path)).run([sample])
    # LiteRT rounds the activations of dynamic-range networks to 8 bits on the way.
    assert np.abs(found - wanted).max() < (0.05 * np.ptp(wanted) if bits == "int8" else 1e-5)
    network = import_network(path, lambda file: Calibrated(file, Calibration(lambda _: [sample], "minmax")))
    kept = [value for value in network.graph.constants.values() if value.shape == (7, 24)]
    assert bits == "float16" or (kept[0] == np.round(weights / scale)).all()


def test_what_is_not_known_in_floating_point_is_told(tmp_path: Path) -> None:
    w = Writer()
    x, y = w.tensor((1, 4), "float32", name="x"), w.tensor((1, 4), "float32", name="y")
    w.operator("SVDF", [x], [y])
    path = write(tmp_path / "net.tflite", w.finish([x], [y]))
    with pytest.raises(BuildError, match=r"operator 0 \(SVDF\) is not supported in floating point"):
        import_network(path, lambda file: Calibrated(file, Calibration(lambda _: [real(1, 4)], "minmax")))
