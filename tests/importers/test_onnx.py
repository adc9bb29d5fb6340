"""ONNX networks with QuantizeLinear and DequantizeLinear, against ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.importers.network import import_network
from mcubuild.ir.executor import run, sample_shape

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


class Writer:
    """Writes a network of operators with levels around them."""

    def __init__(self, seed: int, levels: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.levels = np.dtype(levels)
        self.nodes = list[Any]()
        self.constants = list[Any]()

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, **options: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [name], name=name, **options))
        return name

    def levelled(self, x: str, scale: float, zero: int) -> str:
        """Through levels and back."""
        grid = self.constant(np.float32(scale)), self.constant(np.array(zero, self.levels))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *grid), *grid)

    def filters(self, shape: tuple[int, ...], scale: float) -> tuple[str, str]:
        """Weights on levels a channel, and a bias on those of the sums; ``scale``: of the activation."""
        levels = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = np.exp(self.rng.uniform(-6, -4, shape[0])).astype(np.float32)
        weights = self.node(
            "DequantizeLinear",
            self.constant(levels),
            self.constant(scales),
            self.constant(np.zeros(shape[0], np.int8)),
            axis=0,
        )
        sums = self.constant(self.rng.integers(-2000, 2000, shape[0]).astype(np.int32))
        return weights, self.node("DequantizeLinear", sums, self.constant(scales * np.float32(scale)), axis=0)

    def finish(self, path: Path, shape: tuple[int, ...], output: str) -> Path:
        tensor = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "net",
            [tensor("x", onnx.TensorProto.FLOAT, shape)],
            [tensor(output, onnx.TensorProto.FLOAT, None)],
            self.constants,
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, str(path))
        return path


def random_network(seed: int, levels: str, path: Path) -> Path:
    """Convolutions of all kinds, a sum, pools, functions and a product, of random sizes and scales."""
    w = Writer(seed, levels)
    zero = 0 if levels == "int8" else 128
    pick = w.rng.integers
    channels, size = int(pick(1, 4)) * 2, int(pick(7, 12))
    x = w.levelled("x", 0.02, zero + int(pick(-20, 20)))
    weights, bias = w.filters((channels, 3, 3, 3), 0.02)
    stride = int(pick(1, 3))
    x = w.node("Conv", x, weights, bias, strides=[stride] * 2, pads=[0, 1, 1, 0], kernel_shape=[3, 3])
    x = first = w.levelled(w.node("Relu", x), 0.0319, zero - 128)
    weights, bias = w.filters((channels, 1, 3, 3), 0.0319)
    x = w.node("Conv", x, weights, bias, group=channels, pads=[1] * 4)
    x = w.levelled(w.node("Clip", x, w.constant(np.float32(0)), w.constant(np.float32(6))), 6 / 255, zero - 128)
    weights, bias = w.filters((channels, channels // 2, 1, 1), 6 / 255)
    x = w.levelled(w.node("Conv", x, weights, bias, group=2), 0.0527, zero + 3)
    x = w.levelled(w.node("Add", x, first), 0.0613, zero - 10)
    x = w.levelled(w.node("Sigmoid", w.levelled(x, 0.0613, zero - 10)), 1 / 200, zero - 120)
    x = w.levelled(w.node("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1]), 1 / 200, zero - 120)
    other = w.levelled(w.node("HardSwish", x), 0.01, zero - 100)
    x = w.levelled(w.node("Concat", x, other, axis=1), 0.006, zero - 100)
    if seed % 2:
        x = w.levelled(w.node("GlobalAveragePool", x), 0.004, zero - 100)
    flat = w.node("Flatten", x)
    inside = onnx.shape_inference.infer_shapes(onnx.load(str(w.finish(path, (1, 3, size, size), flat))))
    count = inside.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    weights, bias = w.filters((5, count), 0.004 if seed % 2 else 0.006)
    y = w.levelled(w.node("Gemm", flat, weights, bias, transB=1), 0.05, zero)
    return w.finish(path, (1, 3, size, size), y)


def differences(path: Path, samples: int = 8) -> NDArray[np.int64]:
    """Steps of the outputs (N, elements) between the integer reference and ONNX Runtime."""
    network = import_network(path)
    source, result = network.inputs[0], network.outputs[0]
    x = np.random.default_rng(0).standard_normal((samples, *source.shape[1:])).astype(np.float32)
    plainly = ort.SessionOptions()  # its fused kernels saturate sums of uint8 times int8 on processors without VNNI
    plainly.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), plainly, providers=["CPUExecutionProvider"])
    theirs = np.stack([session.run(None, {"x": each[None]})[0].ravel() for each in x])
    levels = source.to_levels(source.arranged(x.reshape(samples, -1))).astype(np.int8)
    ours = run(network.graph, levels.reshape(samples, *sample_shape(network.graph))).reshape(samples, -1)
    levels = result.to_levels(result.arranged(theirs)).astype(np.int64)
    return np.asarray(np.abs(levels - ours))


@pytest.mark.parametrize("levels", ["int8", "uint8"])
@pytest.mark.parametrize("seed", range(10))
def test_outputs_are_those_of_onnx_runtime_but_for_its_rounding(tmp_path: Path, seed: int, levels: str) -> None:
    """Steps that operators differ by grow where a scale becomes finer, as behind Sigmoid here."""
    steps = differences(random_network(seed, levels, tmp_path / "net.onnx"))
    assert steps.max() <= 3
    assert steps.mean() < 0.3


ALONE: dict[str, dict[str, Any]] = {
    "Conv": {"kernel_shape": [3, 3], "pads": [1, 0, 0, 1]},
    "Relu": {},
    "LeakyRelu": {"alpha": 0.1},
    "Sigmoid": {},
    "Tanh": {},
    "HardSwish": {},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.4},
    "Elu": {},
    "Softmax": {"axis": 1},
    "MaxPool": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    "AveragePool": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "GlobalAveragePool": {},
    "GlobalMaxPool": {},
    "ReduceMean": {"axes": [1, 3], "keepdims": 0},
    "Transpose": {"perm": [0, 2, 3, 1]},
    "DepthToSpace": {"blocksize": 2, "mode": "CRD"},
    "SpaceToDepth": {"blocksize": 2},
}


@pytest.mark.parametrize("kind", ALONE)
def test_one_operator_differs_by_a_step_at_most(tmp_path: Path, kind: str) -> None:
    w = Writer(3, "uint8")
    x = w.levelled("x", 0.0211, 117)
    operands = [x, *w.filters((4, 4, 3, 3), 0.0211)] if kind == "Conv" else [x]
    # What only moves keeps its levels, as quantisers have it.
    kept = kind in ("MaxPool", "GlobalMaxPool", "Transpose", "DepthToSpace", "SpaceToDepth")
    y = w.levelled(w.node(kind, *operands, **ALONE[kind]), *((0.0211, 117) if kept else (0.0137, 101)))
    steps = differences(w.finish(tmp_path / "net.onnx", (1, 4, 8, 6), y), 32)
    assert steps.max() <= (0 if kept else 1)
    # Averages and softmax are rounded at scales of their own, then once more; means as TensorFlow Lite divides.
    assert (steps > 0).mean() < (0.5 if kind in ("Softmax", "AveragePool") else 0.01 if kind == "Conv" else 0.1)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "MatMul"])
def test_two_operands_differ_by_a_step_at_most(tmp_path: Path, kind: str) -> None:
    w = Writer(4, "int8")
    x = w.levelled("x", 0.0211, -11)
    other = w.levelled(w.node("Tanh", x), 0.0079, 3)
    other = w.node("Transpose", other, perm=[0, 1, 3, 2]) if kind == "MatMul" else other
    y = w.levelled(w.node(kind, x, other), 0.0331, 5)
    steps = differences(w.finish(tmp_path / "net.onnx", (1, 4, 6, 6), y), 32)
    assert steps.max() <= 1
    assert (steps > 0).mean() < 0.02


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("places", ["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"])
def test_the_nearest_pixels_are_those_of_onnx_runtime(tmp_path: Path, places: str, rounding: str) -> None:
    w = Writer(5, "uint8")
    x = w.levelled("x", 0.0211, 117)
    sizes = w.constant(np.array([1, 4, 13, 5], np.int64))
    y = w.node("Resize", x, "", "", sizes, coordinate_transformation_mode=places, nearest_mode=rounding)
    assert differences(w.finish(tmp_path / "net.onnx", (1, 4, 8, 6), w.levelled(y, 0.0211, 117))).max() == 0


def refusal(path: Path) -> str:
    with pytest.raises(BuildError) as caught:
        import_network(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) <= 300 + len(str(path))
    return str(caught.value)


def test_what_is_not_quantised_is_told_with_its_place(tmp_path: Path) -> None:
    w = Writer(0, "int8")
    weights, bias = w.filters((2, 3, 1, 1), 0.02)
    y = w.node("Conv", w.levelled("x", 0.02, 0), weights, bias)
    told = refusal(w.finish(tmp_path / "net.onnx", (1, 3, 4, 4), y))
    assert f"node '{y}' (Conv)" in told
    assert "not quantised" in told


def test_an_unknown_operator_is_told_with_its_tensors(tmp_path: Path) -> None:
    w = Writer(0, "int8")
    y = w.node("Det", w.levelled("x", 0.02, 0))
    told = refusal(w.finish(tmp_path / "net.onnx", (1, 3, 4, 4), y))
    assert f"node '{y}' (Det) is not supported" in told
    assert "(1, 3, 4, 4)" in told


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_are_told_in_a_line(tmp_path: Path, seed: int) -> None:
    path = random_network(seed % 4, "uint8", tmp_path / "net.onnx")
    rng, data = np.random.default_rng(seed), bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 6))):
        data[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(bytes(data))
    try:
        import_network(path)
    except BuildError as error:
        assert "\n" not in str(error)


NORMS: dict[str, tuple[int, dict[str, Any], tuple[int, ...]]] = {
    "LayerNormalization": (17, {"axis": -1, "epsilon": 1e-3}, (9,)),
    "InstanceNormalization": (17, {"epsilon": 1e-4}, (4,)),
    "GroupNormalization": (21, {"num_groups": 2}, (4,)),
    "RMSNormalization": (23, {"axis": 2}, (6, 9)),
}
"""Version of the operators, options, and shape of the factors."""


@pytest.mark.parametrize("kind", NORMS)
def test_norms_are_those_of_onnx_runtime(tmp_path: Path, kind: str) -> None:
    """In floating point to its last digits; with levels around them to a step."""
    from mcubuild.importers.network import read_network
    from mcubuild.quant.floating import Network

    version, options, shape = NORMS[kind]
    for levels in (False, True):
        w = Writer(6, "int8")
        x = w.levelled("x", 0.03, -7) if levels else "x"
        constants = [w.constant(w.rng.uniform(-1, 2, shape).astype(np.float32)) for _ in range(2)]
        y = w.node(kind, x, *constants[: 1 if kind.startswith("RMS") else 2], **options)
        path = w.finish(tmp_path / "net.onnx", (1, 4, 6, 9), w.levelled(y, 0.05, 3) if levels else y)
        model = onnx.load(str(path))
        model.opset_import[0].version, model.ir_version = version, 10
        onnx.save(model, str(path))
        if levels:
            steps = differences(path)
            assert steps.max() <= 1 and (steps > 0).mean() < 0.02
            continue
        file, sample = read_network(path), w.rng.standard_normal((1, 4, 6, 9)).astype(np.float32)
        (theirs,) = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": sample})
        ours = Network(file).run([sample.transpose(0, 2, 3, 1).ravel()])
        order = file.orders.get(file.outputs[0], (0, 1, 2, 3))
        assert np.abs(ours - theirs.transpose(order).ravel()).max() < 1e-5


def real_difference(path: Path, shape: tuple[int, ...]) -> float:
    """The largest between what a network of real numbers, of one input ``x``, gives here and in ONNX Runtime."""
    from mcubuild.importers.network import read_network
    from mcubuild.quant.floating import Network

    file, sample = read_network(path), np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    (theirs,) = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": sample})
    ours = Network(file).run([sample.transpose(0, 2, 3, 1).ravel()])
    order = file.orders.get(file.outputs[0], (0, 1, 2, 3))
    return float(np.abs(ours - theirs.transpose(order).ravel()).max())


@pytest.mark.parametrize(
    "options",
    [
        {"output_shape": [12, 10]},
        {"output_shape": [12, 10], "auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
    ],
    ids=str,
)
def test_transposed_convolutions_of_a_given_size_are_those_of_onnx_runtime(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """13 x 11 before an odd number of rows and columns is cut off."""
    w = Writer(7, "int8")
    weights = w.constant(w.rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    y = w.node("ConvTranspose", "x", weights, strides=[2, 2], kernel_shape=[3, 3], **options)
    assert real_difference(w.finish(tmp_path / "net.onnx", (1, 4, 6, 5), y), (1, 4, 6, 5)) < 1e-5


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_that_of_onnx_runtime(tmp_path: Path, approximate: str) -> None:
    w = Writer(8, "int8")
    path = w.finish(tmp_path / "net.onnx", (1, 4, 6, 5), w.node("Gelu", "x", approximate=approximate))
    model = onnx.load(str(path))
    model.opset_import[0].version = 20
    onnx.save(model, str(path))
    assert real_difference(path, (1, 4, 6, 5)) < 2e-6


@pytest.mark.parametrize(("index", "told"), [(4, "takes element 4 of 4"), (-5, "must be from -4 to 3")])
def test_places_beyond_the_end_are_refused(tmp_path: Path, index: int, told: str) -> None:
    w = Writer(9, "int8")
    y = w.node("Gather", w.levelled("x", 0.02, 0), w.constant(np.array([0, index], np.int64)), axis=1)
    assert told in refusal(w.finish(tmp_path / "net.onnx", (1, 4, 6, 5), w.levelled(y, 0.02, 0)))
