"""Where factors are rounded to float32 (networks of uint8), and where not: results that tell the two apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.export.limits import untold
from mcubuild.importers.tflite import converted, import_tflite
from mcubuild.ir import executor
from mcubuild.ir.arithmetic import FixedPoint, reduced, requantize_wide
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.weighted import WeightedParameters
from tests.importers.networks import Network
from tests.importers.outputs import flat
from tests.importers.reference import References, host_runs, micro_runs, needs_micro
from tests.importers.writer import write

_SEEDS = range(5)


Rescaling = Callable[[NDArray[np.int64], FixedPoint], NDArray[np.int64]]


def wide(sums: NDArray[np.int64], factor: FixedPoint) -> NDArray[np.int64]:
    return requantize_wide(sums, factor.multiplier, factor.shift)


def narrow(sums: NDArray[np.int64], factor: FixedPoint) -> NDArray[np.int64]:
    return factor.times(sums)


def rounded_once(sums: NDArray[np.int64], factor: FixedPoint) -> NDArray[np.int64]:
    """As LiteRT's fully connected layers rescale."""
    right = 31 - factor.shift
    return (sums * factor.multiplier + (1 << (right - 1))) >> right


def scales_and_sums(net: Network, rescale: Rescaling | None = None) -> tuple[float, float, float, NDArray[np.int64]]:
    """Scales of two operands and of their result, and 8 sums that the factors of the two precisions tell apart."""
    rescale = rescale or (wide if net.wide else narrow)
    while True:
        left, right = net.step(), net.scale(0.001, 0.02)
        result = float(np.float32(left * right * (1 if net.wide else 1 << 13) * net.rng.uniform(1.1, 2)))
        double, single = (
            FixedPoint.of(product / result) for product in (left * right, float(np.float32(left) * np.float32(right)))
        )
        if net.wide:
            if reduced(double.multiplier) == reduced(single.multiplier):
                continue
            sums = np.arange(-(1 << 15), 1 << 15)
        else:  # next to the border of two levels
            borders = ((np.arange(-120, 120) + 0.5) * result / (left * right)).astype(np.int64)
            sums = (borders[:, None] + np.arange(-2, 3)).ravel()
        apart = sums[rescale(sums, double) != rescale(sums, single)]
        if len(apart):
            return left, right, result, net.rng.choice(apart, 8)


def weighted(
    net: Network, kind: str, bits: int = 8, each: bool = False, rescale: Rescaling | None = None
) -> NDArray[np.int64]:
    """A layer whose weights are 0 and whose biases are such sums; ``each``: with a scale for each filter."""
    left, right, result, sums = scales_and_sums(net, rescale)
    filters, row = len(sums), kind == "FULLY_CONNECTED"
    x = net.value((1, 1) if row else (1, 1, 1, 1), left, 0)
    net.inputs.append(x)
    deep = kind == "DEPTHWISE_CONV_2D"
    shape = (1, 1, 1, filters) if deep else (filters, 1) if row else (filters, 1, 1, 1)
    zero = 100 if net.unsigned else 0
    scales = [right] * filters if each else right
    dtype = "uint8" if net.unsigned else f"int{bits}"
    weights = net.writer.tensor(shape, dtype, scales, zero, 3 if deep else 0, np.full(shape, zero))
    bias = net.writer.tensor((filters,), "int64" if net.wide else "int32", left * right, values=sums)
    y = net.value((1, filters) if row else (1, 1, 1, filters), result, 0)
    inputs, options = [x.index, weights, bias], {} if row else {"StrideH": 1, "StrideW": 1}
    if kind == "TRANSPOSE_CONV":
        inputs = [net.integers(1, 1, 1, filters), weights, x.index, bias]
    elif not row:
        options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    net.emit(kind, inputs, [y], **options, **({"DepthMultiplier": filters} if deep else {}))
    return sums


def check(net: Network, folder: Path, reference: References, inputs: list[NDArray[Any]]) -> Graph:
    """Compare with the reference, as converted and as rewritten; the graph as converted."""
    data = net.finish()
    path = write(folder / "net.tflite", data)
    outputs = [value for value in net.values if value.index not in net.read]
    (expected,) = reference(data, [inputs], [value.index for value in outputs])
    levels = np.concatenate([expected[value.index].ravel().astype(int) - net.unsigned for value in outputs])
    graph = converted(path).graph
    for each in (graph, import_tflite(path).graph):
        found = executor.run(each, flat(inputs)).view("int16" if net.wide else "int8").ravel()
        np.testing.assert_array_equal(found, levels)
    return graph


def zeros(net: Network) -> list[NDArray[Any]]:
    return [np.full((1, *value.shape[1:]), net.unsigned, net.dtype) for value in net.inputs]


@needs_micro
@pytest.mark.parametrize("each", [False, True], ids=["one scale", "scales"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"])
def test_layers_are_micros(tmp_path: Path, kind: str, dtype: str, each: bool) -> None:
    if (kind, dtype, each) == ("FULLY_CONNECTED", "int16", True):
        pytest.skip("Micro has none")
    for seed in _SEEDS:
        net = Network(seed, dtype=dtype)
        weighted(net, kind, each=each)
        check(net, tmp_path, micro_runs, zeros(net))


@needs_micro
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_weights_of_4_bits_are_micros(tmp_path: Path, kind: str) -> None:
    for seed in _SEEDS:
        net = Network(seed)
        weighted(net, kind, bits=4)
        check(net, tmp_path, micro_runs, zeros(net))


@needs_micro
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_products_of_activations_are_micros(tmp_path: Path, dtype: str) -> None:
    """Rows of the left one times one column: 127 everywhere but for a 1."""
    for seed in _SEEDS:
        net = Network(seed, dtype=dtype)
        left, right, result, sums = scales_and_sums(net)
        most = net.limits[1]
        depth = 1 + int(np.abs(sums).max()) // (127 * most)
        rows = np.zeros((1, len(sums), depth + 1), np.int64)
        for row, total in zip(rows[0], sums.tolist(), strict=True):
            times, row[-1] = divmod(abs(total), 127)
            row[: times // most] = most
            row[times // most] += times % most
            row *= np.sign(total)
        column = np.array([127] * depth + [1]).reshape(1, -1, 1)
        assert (rows @ column).ravel().tolist() == sums.tolist()
        x, y = net.value(rows.shape, left, 0), net.value(column.shape, right, 0)
        net.inputs += [x, y]
        net.emit("BATCH_MATMUL", [x.index, y.index], [net.value((1, len(sums), 1), result, 0)])
        check(net, tmp_path, micro_runs, [rows.astype(dtype), column.astype(dtype)])


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_layers_of_uint8_are_the_hosts(tmp_path: Path, kind: str) -> None:
    for seed in _SEEDS:
        net = Network(seed, dtype="uint8")
        weighted(net, kind)
        graph = check(net, tmp_path, host_runs, zeros(net))
        assert untold(graph, graph.ops[0]) is not None


def test_factors_of_uint8_are_the_hosts(tmp_path: Path) -> None:
    """Of fully connected layers, which round their sums once there."""
    for seed in _SEEDS:
        net = Network(seed, dtype="uint8")
        sums = weighted(net, "FULLY_CONNECTED", rescale=rounded_once)
        data = net.finish()
        graph = converted(write(tmp_path / "net.tflite", data)).graph
        derived = graph.ops[0].parameters(graph)
        assert isinstance(derived, WeightedParameters)
        ((expected,),) = (each.values() for each in host_runs(data, [zeros(net)], [net.values[-1].index]))
        levels = rounded_once(sums, derived.factors[0])
        np.testing.assert_array_equal(levels, expected.ravel().astype(int) - 128)


def test_elements_of_uint8_are_the_hosts(tmp_path: Path) -> None:
    """Products, and ReLU with another scale: scales that the two precisions tell apart, all levels."""
    for kind, seed in (("MUL", 0), ("RELU", 2)):
        net = Network(seed, dtype="uint8")
        left, right, result, levels = _elements(net, kind)
        x = net.value((1, len(levels)), left, 0)
        net.inputs.append(x)
        inputs = [(levels[:, 0].reshape(1, -1) + 128).astype(np.uint8)]
        operands = [x.index]
        if kind == "MUL":
            y = net.value(x.shape, right, 0)
            net.inputs.append(y)
            inputs.append((levels[:, 1].reshape(1, -1) + 128).astype(np.uint8))
            operands.append(y.index)
        net.emit(kind, operands, [net.value(x.shape, result, 0)])
        check(net, tmp_path, host_runs, inputs)


def _elements(net: Network, kind: str) -> tuple[float, float, float, NDArray[np.int64]]:
    """Scales and pairs of levels whose products, or first ones, the factors of the two precisions tell apart."""
    levels = np.mgrid[-127:128, -127:128].reshape(2, -1).T if kind == "MUL" else np.mgrid[1:128, :1].reshape(2, -1).T
    terms = levels[:, 0] * levels[:, 1] if kind == "MUL" else levels[:, 0]
    while True:
        left, right = net.step(), net.step() if kind == "MUL" else 1.0
        result = float(np.float32(left * right * (90 if kind == "MUL" else 1) * net.rng.uniform(1, 3)))
        single = np.float32(left) * np.float32(right) / np.float32(result)
        one, other = (FixedPoint.of(each).times(terms) for each in (left * right / result, float(single)))
        if (one != other).any():
            return left, right, result, levels[one != other]
