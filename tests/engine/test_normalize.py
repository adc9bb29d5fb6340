"""Norms of a run's own activations: the reference beside floating point, and the C beside the reference."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.ir.executor import run
from mcubuild.ir.graph import Constant, Graph, Quantization, Tensor
from mcubuild.ir.ops.normalize import MOST, Normalize, fraction
from tests.engine.test_generated_c import Compiled

Floats = NDArray[np.float64]
SIZES = [(1, 1, 6), (1, 1, 1), (9, 3, 2), (20, 4, 1), (16, 1, 4), (1, 3, 64), (400, 1, 8), (5, 1, 300)]
"""Pixels, groups, channels."""


def network(seed: int, sizes: tuple[int, int, int], *, centred: bool = True, epsilon: float = 1e-5) -> Graph:
    """Three times as many elements where there is one pixel, with weights an element in every other network."""
    rng = np.random.default_rng(seed)
    pixels, groups, channels = sizes
    outer, count = 3 if pixels == 1 else 1, groups * channels
    constants = pixels * count if seed % 2 else count
    weight = rng.integers(-32767, 32768, (1, constants)).astype(np.int16)
    scale = float(np.float32(rng.uniform(0.5, 2) / 32767))
    bias = np.rint(rng.normal(0, 0.5, (1, constants)) * (1 << fraction(pixels * channels)) / scale).astype(np.int32)
    tensors = [
        Tensor("x", (1, outer, pixels, count), quantization=Quantization((0.05,), int(rng.integers(-128, 128)))),
        Tensor("weight", (1, constants), "int16", quantization=Quantization((scale,))),
        Tensor("bias", (1, constants), "int32", 32),
        Tensor("y", (1, outer, pixels, count), quantization=Quantization((0.03,), int(rng.integers(-30, 30)))),
    ]
    op = Normalize("x", "weight", "bias", "y", pixels, groups, channels, epsilon, centred)
    values: dict[str, Constant] = {"weight": weight, "bias": bias}
    return Graph("norm", {tensor.name: tensor for tensor in tensors}, (op,), ("x",), ("y",), values)


def samples(graph: Graph, seed: int) -> NDArray[np.int8]:
    """Of all levels, of a few, and all the same."""
    shape = (2, *graph.tensor("x").shape[1:])
    rng = np.random.default_rng(seed)
    few = rng.integers(-3, 4, shape) + rng.integers(-120, 120)
    return np.concatenate([rng.integers(-128, 128, shape), few, np.full(shape, rng.integers(-128, 128))]).astype(
        np.int8
    )


def exactly(graph: Graph, x: NDArray[np.int8]) -> Floats:
    """In floating point, at the output's scale."""
    (op,) = graph.ops
    assert isinstance(op, Normalize)
    (step, zero), (scale, _), (result, shown) = (graph.scale(name) for name in ("x", "weight", "y"))
    real = step * (x.astype(float) - zero).reshape(-1, op.pixels, op.groups, op.channels)
    centre = real.mean((1, 3), keepdims=True) if op.centred else 0.0
    deviation = np.sqrt(((real - centre) ** 2).mean((1, 3), keepdims=True) + op.epsilon)
    like = (1, -1, op.groups, op.channels)
    weight = (graph.constants["weight"] * scale).reshape(like)
    bias = (graph.constants["bias"] * scale / (1 << fraction(op.pixels * op.channels))).reshape(like)
    found = ((real - centre) / deviation * weight + bias) / result + shown
    return np.asarray(np.clip(found, -128, 127).reshape(x.shape))


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_levels_are_the_nearest_ones(sizes: tuple[int, int, int], centred: bool) -> None:
    """But for the resolution of what is normalised, before it is weighted."""
    for seed in range(4):
        graph = network(seed, sizes, centred=centred)
        x = samples(graph, seed)
        step = 32767 * graph.scale("weight")[0] / graph.scale("y")[0] / (1 << fraction(sizes[0] * sizes[2]))
        assert step < 0.25
        assert np.abs(run(graph, x) - exactly(graph, x)).max() < 0.5 + step / 2 + 0.01


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_c_gives_the_same_bits(tmp_path: Path, sizes: tuple[int, int, int]) -> None:
    for seed, (centred, epsilon) in enumerate([(True, 1e-5), (True, 0.0), (False, 1e-12), (False, 30.0)]):
        graph = network(seed, sizes, centred=centred, epsilon=epsilon)
        x = samples(graph, seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        np.testing.assert_array_equal(Compiled(graph, folder).run(x), run(graph, x))


def test_what_leaves_32_bits_is_refused() -> None:
    graph = network(0, (1, 1, MOST + 1))
    with pytest.raises(ValueError, match="elements a set; at most 65535"):
        graph.ops[0].parameters(graph)
    graph = network(0, (1, 1, 8), epsilon=1e20)
    with pytest.raises(ValueError, match="does not go with"):
        graph.ops[0].parameters(graph)
