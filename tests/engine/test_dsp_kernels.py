"""Kernels with the DSP extension: the executor, the twins in C on this machine and the ELF on two cores agree."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.assembly import planes
from mcubuild.engine.assembly.constants import Channels, channels
from mcubuild.engine.assembly.rounding import short_form
from mcubuild.engine.assembly.schedule import ordered
from mcubuild.engine.kernels import choose
from mcubuild.engine.kernels.depthwise_columns import KERNEL as COLUMNS
from mcubuild.engine.kernels.depthwise_rows import KERNEL as ROWS
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.arithmetic import requantize
from mcubuild.ir.executor import run
from mcubuild.ir.geometry import Padding, Shape
from mcubuild.ir.graph import Graph, Quantization, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D
from mcubuild.ir.ops.weighted import DepthwiseConv2D, Weighted
from mcubuild.spec.engine import EngineSettings
from tests.e2e.test_agreement import BOARDS, check
from tests.networks import random_inputs
from tests.toolchains import TOOLCHAINS

TARGET = Target.of(read_board("stm32f412"), EngineSettings())


def depthwise(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: Padding,
    clamp: tuple[int, int] = (-128, 127),
    seed: int = 0,
    bits: int = 8,
) -> Graph:
    """One layer with random values."""
    height, width, channels = shape
    top, bottom, left, right = padding
    rows, columns = (height + top + bottom - kernel[0]) // stride + 1, (width + left + right - kernel[1]) // stride + 1
    tensors = {
        "x": Tensor("x", (1, *shape)),
        "w": Tensor("w", (1, *kernel, channels), bits=bits),
        "b": Tensor("b", (channels,), "int32", 32),
        "y": Tensor("y", (1, rows, columns, channels)),
    }
    op = DepthwiseConv2D("x", "w", "b", "y", (stride, stride), padding, clamp)
    return with_random_values(Graph("one", tensors, (op,), ("x",), ("y",)), seed)


def random_depthwise(seed: int, bits: int = 8) -> Graph:
    """Odd sizes, few channels or many, any padding, maps smaller than the filter, limits of every kind."""
    rng = np.random.default_rng(seed)
    stride = int(rng.integers(1, 3))
    size = int(rng.choice([3, 3, 5, 7, 4, 2] if stride == 2 else [3, 3, 5, 7, 4, 6]))
    padding = tuple(int(n) for n in rng.integers(0, size, 4))
    assert len(padding) == 4
    low = [max(1, size - padding[0] - padding[1]), max(1, size - padding[2] - padding[3])]
    height, width = (int(n + rng.integers(0, 14)) for n in low)
    clamp = [(-128, 127), (-128, 127), (-30, 127), (-128, 60), (3, 99)][int(rng.integers(5))]
    return depthwise((height, width, int(rng.integers(4, 23))), (size, size), stride, padding, clamp, seed, bits)


def kind(graph: Graph) -> str:
    return choose(layers(graph)[0], TARGET).kind


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(1, 9))
def test_random_depthwise(tmp_path: Path, seed: int, bits: int, toolchain: str) -> None:
    check_random_depthwise(tmp_path, seed, bits, toolchain)


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(9, 80))
def test_many_random_depthwise(tmp_path: Path, seed: int, bits: int, toolchain: str) -> None:
    if kind(random_depthwise(seed, bits)) == "depthwise":
        pytest.skip("so few outputs that portable C should be faster")
    check_random_depthwise(tmp_path, seed, bits, toolchain)


def check_random_depthwise(folder: Path, seed: int, bits: int, toolchain: str) -> None:
    graph = random_depthwise(seed, bits)
    assert kind(graph).startswith("depthwise_")
    check(graph, random_inputs(graph, 3, seed), folder, BOARDS[seed % 2], toolchain)


@pytest.mark.parametrize("size", [5, 7])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_stay_in_their_fields(tmp_path: Path, size: int, sign: int) -> None:
    """All weights 127 in magnitude and inputs at both ends of int8: the fields of a 64-bit sum at their largest."""
    graph = depthwise((9, 10, 4), (size, size), 1, (2, 2, 2, 2))
    weights = np.full((1, size, size, 4), 127 * sign, np.int8)
    weights[..., 1::2, 1] *= -1
    weights[:, 1::2, :, 2] *= -1
    tensors = dict(graph.tensors)
    tensors["y"] = replace(tensors["y"], quantization=Quantization((float(np.float32(1 / 255 * 80)),), 5))
    graph = graph.with_values(tensors, {**graph.constants, "w": weights})
    assert kind(graph) == "depthwise_columns"
    outputs = check(graph, random_inputs(graph, 4), tmp_path)
    assert len(np.unique(outputs)) > 10


def test_what_does_not_fit_goes_to_the_portable_kernel() -> None:
    def chosen(graph: Graph, target: Target = TARGET) -> str:
        return choose(layers(graph)[0], target).kind

    same = (1, 1, 1, 1)
    fitting = depthwise((8, 8, 8), (3, 3), 1, same)
    assert chosen(fitting) == "depthwise_rows"
    assert chosen(depthwise((12, 12, 8), (9, 9), 1, same)) == "depthwise", "more products than a field holds"
    assert not COLUMNS.serves(Layer(depthwise((12, 12, 8), (9, 9), 1, same), 0), TARGET)
    assert chosen(depthwise((8, 8, 3), (3, 3), 1, same)) == "depthwise", "less than four channels"
    assert chosen(depthwise((20, 20, 8), (3, 3), 3, same)) == "depthwise"
    assert chosen(depthwise((8, 1200, 8), (3, 3), 1, same)) == "depthwise", "distances beyond an offset"
    assert chosen(fitting, replace(TARGET, dsp=False)) == "depthwise"
    assert chosen(fitting, replace(TARGET, fpu=False)) == "depthwise"
    assert chosen(fitting, Target.of(read_board("stm32f412"), EngineSettings(assembly=False))) == "depthwise"
    tensors = dict(fitting.tensors)
    tensors["w"] = replace(tensors["w"], quantization=Quantization((64.0,) * 8, 0, 3))
    assert chosen(fitting.with_values(tensors, fitting.constants)) == "depthwise", "factors above one"


@pytest.mark.parametrize("settings", [EngineSettings(), EngineSettings(inplace_depthwise=False)])
@pytest.mark.parametrize("stride", [1, 2])
def test_strips_over_the_input(tmp_path: Path, settings: EngineSettings, stride: int) -> None:
    """Several strips, from the top or from the bottom, over the input or beside it."""
    for index, kernel in enumerate((3, 5)):
        sketch = Sketch((1, 37, 41, 3))
        last = sketch.depthwise(sketch.conv("input", 8), kernel, stride)
        sketch.conv(last, 4)
        graph = with_random_values(sketch.graph())
        kernels = {3: ROWS, 5: COLUMNS if stride == 1 else ROWS}
        layer = layers(graph)[1]
        assert choose(layer, TARGET).kind == kernels[kernel].kind
        assert layer.output.shape[1] > 2 * 2, "more than one strip"
        place = plan(graph, Target.of(read_board("stm32f412"), settings))
        assert bool(place.inplace) == settings.inplace_depthwise
        folder = tmp_path / str(index)
        folder.mkdir()
        check(graph, random_inputs(graph, 2), folder, "stm32f412", "zig")


def test_scratch_is_for_the_rows_of_a_call() -> None:
    layer = layers(depthwise((40, 40, 16), (7, 7), 1, (3, 3, 3, 3)))[0]
    sizes = [COLUMNS.scratch_bytes(layer, rows) for rows in range(1, 41)]
    assert sizes == sorted(sizes) and sizes[-1] == COLUMNS.scratch_bytes(layer)
    assert sizes[-1] <= max(planes.SCRATCH, sizes[1])


def sum_of(shape: tuple[int, int, int], seed: int, clamp: tuple[int, int] = (-128, 127)) -> Graph:
    """An addition of the input and a convolution of it, with random scales."""
    rng = np.random.default_rng(seed)
    sketch = Sketch((1, *shape))
    other = sketch.conv("input", shape[2])
    sketch.add(*(("input", other) if seed % 2 else (other, "input")))
    graph = with_random_values(sketch.graph(), seed)
    tensors = dict(graph.tensors)
    scale = float(np.float32(1 / 255 * rng.choice([1.0, *rng.uniform(0.2, 5, 3)])))
    tensors["t0"] = replace(tensors["t0"], quantization=Quantization((scale,), int(rng.integers(-128, 128))))
    add = graph.ops[1]
    assert isinstance(add, Add)
    changed = replace(graph, ops=(graph.ops[0], replace(add, clamp=clamp)))
    return changed.with_values(tensors, graph.constants)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("seed", range(6))
def test_random_sums(tmp_path: Path, seed: int, toolchain: str) -> None:
    shape, clamp = [((5, 7, 3), (-128, 127)), ((6, 4, 8), (-128, 127)), ((3, 3, 16), (-20, 90))][seed % 3]
    graph = sum_of(shape, seed, clamp)
    assert choose(layers(graph)[1], TARGET).kind == "add_dsp"
    check(graph, random_inputs(graph, 4, seed), tmp_path, BOARDS[seed % 2], toolchain)


def test_every_pair_of_operands(tmp_path: Path) -> None:
    """All 65536 pairs: every tie and every saturation that the scales give."""
    sketch = Sketch((1, 64, 64, 16))
    sketch.add("input", sketch.depthwise("input", 1))
    graph = with_random_values(sketch.graph(), 3)
    values: NDArray[np.int8] = np.arange(-128, 128, dtype=np.int8)
    inputs = np.resize(np.repeat(values, 256), (1, 64, 64, 16))
    check(graph, inputs, tmp_path, "stm32f746", "zig")
    assert run(graph, inputs).std() > 1


def weighted(add: Callable[[Sketch], str], shape: Shape, factors: Sequence[float], largest: bool = False) -> Graph:
    """One layer with weights; its last channels have these factors, rounded to float32, and its sums may be large.

    Args:
        add: appends the layer.
        shape: of the input.
        factors: from sum to output.
        largest: whether all weights of every second channel are 127.
    """
    sketch = Sketch(shape)
    add(sketch)
    graph = with_random_values(sketch.graph())
    (op,) = graph.ops
    assert isinstance(op, Weighted)
    tensors, weights = dict(graph.tensors), graph.constants[op.weights].copy()
    quantization = tensors[op.weights].quantization
    source, target = tensors[op.input].quantization, tensors[op.output].quantization
    assert quantization is not None and source is not None and target is not None
    given = [float(np.float32(factor * target.scale[0] / source.scale[0])) for factor in factors]
    scales = (*quantization.scale[: len(quantization.scale) - len(given)], *given)
    tensors[op.weights] = replace(tensors[op.weights], quantization=replace(quantization, scale=scales))
    bias = graph.constants[op.bias].copy()
    if largest:
        weights[1::2] = 127
    if factors:  # outputs that do not all saturate
        filters = weights[0].T if isinstance(op, DepthwiseConv2D) else weights
        few = np.zeros(filters.shape[1:], np.int8)
        few.flat[:4] = (1, -1, 1, -1)
        filters[-len(given) :] = few
        bias[-len(given) :] //= 100
    return graph.with_values(tensors, {**graph.constants, op.weights: weights, op.bias: bias})


LAYERS: dict[str, tuple[str, Shape, Callable[[Sketch], str]]] = {
    "window": ("conv2d_dsp", (1, 6, 7, 120), lambda sketch: sketch.conv("input", 7, 3)),
    "small window": ("conv2d_dsp", (1, 6, 7, 3), lambda sketch: sketch.conv("input", 8, (2, 3))),
    "pointwise": ("pointwise_dsp", (1, 6, 7, 16), lambda sketch: sketch.conv("input", 24)),
    "vector": ("fully_connected_dsp", (1, 1100), lambda sketch: sketch.fully_connected("input", 10)),
    "rows": ("depthwise_rows", (1, 9, 10, 8), lambda sketch: sketch.depthwise("input", 3)),
    "columns": ("depthwise_columns", (1, 9, 10, 8), lambda sketch: sketch.depthwise("input", 5)),
}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["window", "vector"])
def test_sums_beyond_24_bits(tmp_path: Path, name: str, board: str) -> None:
    """Every second channel's weights are the largest: so are its sums with inputs of -128 and 127."""
    expected, shape, add = LAYERS[name]
    graph = weighted(add, shape, [], largest=True)
    layer = layers(graph)[0]
    assert channels(layer).reach.max() > 2**23 and kind(graph) == expected
    assert any("part" in dict(routine.values) for routine in choose(layer, TARGET).routines(layer))
    check(graph, random_inputs(graph, 6), tmp_path, board)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", LAYERS)
def test_factors_of_one_half_and_more(tmp_path: Path, name: str, board: str) -> None:
    """Some channels of a layer: the others keep the fast kernel, and so do they."""
    expected, shape, add = LAYERS[name]
    graph = weighted(add, shape, [0.5, 0.5000001, 0.73, 0.999])
    assert kind(graph) == expected
    outputs = check(graph, random_inputs(graph, 6), tmp_path, board)
    assert len(np.unique(outputs[..., -4:])) > 10


def test_a_large_bias(tmp_path: Path) -> None:
    """Sums of few inputs that leave 24 bits because of where they begin."""
    sketch = Sketch((1, 6, 7, 3))
    LAYERS["small window"][2](sketch)
    graph = with_random_values(sketch.graph())
    (op,) = graph.ops
    assert isinstance(op, Weighted)
    bias = graph.constants[op.bias].copy()
    bias[1], bias[2] = 2**23 + 5, -(2**23)
    source, scales = graph.tensors["input"].quantization, graph.tensors[op.weights].quantization
    assert source is not None and scales is not None
    coarse = Quantization((source.scale[0] * max(scales.scale) * 2**17,), 0)
    tensors = {**graph.tensors, op.output: replace(graph.tensors[op.output], quantization=coarse)}
    graph = graph.with_values(tensors, {**graph.constants, op.bias: bias})
    assert channels(layers(graph)[0]).reach.max() > 2**23
    assert kind(graph) == "conv2d_dsp"
    check(graph, random_inputs(graph, 3), tmp_path)


@pytest.mark.parametrize("multiplier", [2**30, 2**30 + 1, 2**30 + 215, 2**31 - 1, 2**31 - 2**20, *range(30)])
def test_every_sum_with_a_factor_of_one_half_or_more(multiplier: int) -> None:
    """The four instructions, in Python, against the reference, far beyond what saturates."""
    rng = np.random.default_rng(multiplier)
    if multiplier < 2**30:
        multiplier = int(rng.integers(2**30, 2**31))
    zero_point = int(rng.integers(-128, 128))
    one = np.ones(1, np.int64)
    numbers = Channels(
        bias=(one * 17).astype(np.int32),
        multiplier=(one * multiplier).astype(np.int32),
        shift=(one * 0).astype(np.int8),
        weights=one.astype(np.int8),
        reach=one * 2**20,
        zero_point=zero_point,
        wide=False,
    )
    form = short_form(numbers)
    assert form is not None
    sums = np.concatenate([np.arange(-5000, 5000), rng.integers(-(2**20), 2**20, 10_000)])
    expected = np.clip(requantize(sums + 17, multiplier, 0) + zero_point, -128, 127)
    twice = 2 * (sums + form.bias)
    rounded = (form.addend + (twice >> 63)) + ((twice * form.multiplier + 2**31) >> 32)
    np.testing.assert_array_equal(np.clip(rounded >> form.shift, -128, 127), expected)


def random_pool(seed: int) -> Graph:
    """One layer: windows that reach over the edge or do not, channels that fill words or do not, limits."""
    rng = np.random.default_rng(seed)
    shape = (1, *(int(n) for n in rng.integers(5, 14, 2)), int(rng.integers(8, 45)))
    sketch = Sketch(shape)
    window = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    op = MaxPool2D if seed % 3 else AveragePool2D
    sketch.windows("input", op, window, int(rng.integers(1, 4)), padded=seed % 2 == 0)
    graph = with_random_values(sketch.graph(), seed)
    (pool,) = graph.ops
    assert isinstance(pool, MaxPool2D | AveragePool2D)
    return replace(graph, ops=(replace(pool, clamp=(-20, 90) if seed % 4 == 3 else (-128, 127)),))


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("seed", range(8))
def test_random_pools(tmp_path: Path, seed: int, toolchain: str) -> None:
    graph = random_pool(seed)
    portable = "average_pool" if seed % 2 else "pool"
    assert kind(graph) == ("pool_dsp" if seed % 3 else portable)
    check(graph, random_inputs(graph, 4, seed), tmp_path, BOARDS[seed % 2], toolchain)


@pytest.mark.parametrize("engine", [EngineSettings(), EngineSettings(assembly=False)])
def test_pools_of_few_rows_at_a_time(tmp_path: Path, engine: EngineSettings) -> None:
    """Streamed: the first and last rows of windows are cut off, others are not."""
    sketch = Sketch((1, 30, 19, 3))
    last = sketch.windows(sketch.conv("input", 12, 3), MaxPool2D, (3, 3), 2)
    sketch.fully_connected(sketch.pool(sketch.conv(last, 8, 3)), 4)
    graph = with_random_values(sketch.graph())
    smallest = engine.model_copy(update={"plan": "smallest"})
    assert plan(graph, Target.of(read_board("stm32f412"), smallest)).chains
    check(graph, random_inputs(graph, 3), tmp_path, "stm32f412", engine=smallest)


def test_the_order_of_instructions_keeps_what_depends_on_what() -> None:
    text = """
    ldr.w   r2, [r0]
    smlad   r3, r2, r4, r3
    ldr.w   r2, [r0, #4]
    smlad   r3, r2, r5, r3
    strb.w  r3, [r1]
    mov.w   r3, #0
    strb.w  r3, [r1]
    """
    for core in ("cortex-m4", "cortex-m7"):
        lines = [line.strip() for line in ordered(text, core).splitlines()]
        assert lines == [line.strip() for line in text.strip().splitlines()]
