"""The generated C, compiled for this machine, equals the integer reference executor bit for bit."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.engine.emit.codegen import FILES
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run, run_all
from mcubuild.ir.graph import Quantization
from mcubuild.ir.ops.weighted import Conv2D
from mcubuild.spec.engine import EngineSettings
from tests.engine.compiled import Compiled, write_c
from tests.networks import random_inputs, random_network
from tests.toolchains import needs_host_gcc


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(2))
def test_random_networks(tmp_path: Path, seed: int, bits: int) -> None:
    check_random(tmp_path, seed, bits, "zig")


@needs_host_gcc
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(4, 9))
def test_random_networks_with_gcc(tmp_path: Path, seed: int, bits: int) -> None:
    check_random(tmp_path, seed, bits, "gcc")


@needs_host_gcc
@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(9, 60))
def test_many_random_networks(tmp_path: Path, seed: int, bits: int) -> None:
    check_random(tmp_path, seed, bits, "gcc")


def check_random(folder: Path, seed: int, bits: int, toolchain: str) -> None:
    graph = random_network(seed, bits)
    compiled = Compiled(graph, folder, toolchain)
    inputs = random_inputs(graph, 4)
    outputs = run(graph, inputs)
    np.testing.assert_array_equal(compiled.run(inputs), outputs)
    np.testing.assert_array_equal(compiled.run(inputs, seed=1), outputs, "the arena's former content matters")


def test_every_switch_off(tmp_path: Path) -> None:
    for seed in (7, 13):
        graph = random_network(seed)
        settings = EngineSettings(inplace_depthwise=False, inplace_add=False)
        inputs = random_inputs(graph, 3)
        folder = tmp_path / str(seed)
        folder.mkdir()
        np.testing.assert_array_equal(Compiled(graph, folder, settings=settings).run(inputs), run(graph, inputs))


@pytest.mark.parametrize("seed", [7, 13])
def test_every_intermediate_tensor(tmp_path: Path, seed: int) -> None:
    """Few outputs hide differences: here every tensor is an output, so that the plan keeps all of them."""
    graph = random_network(seed)
    others = tuple(tensor.name for tensor in graph.activations() if tensor.name not in graph.outputs)
    compiled = Compiled(replace(graph, outputs=graph.outputs + others), tmp_path)
    for sample in random_inputs(graph, 3):
        arena = compiled.arena_after(sample)
        for name, expected in run_all(graph, sample[None]).items():
            place = compiled.plan.activations[name]
            np.testing.assert_array_equal(arena[place.offset : place.offset + place.nbytes], expected.ravel(), name)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bits", [8, 4])
def test_depthwise_over_its_input(tmp_path: Path, kernel: int, stride: int, bits: int) -> None:
    for side in (6, 7):
        sketch = Sketch((1, side, side + 3, 8), bits)
        sketch.depthwise(sketch.conv("input", 12), kernel, stride)
        graph = with_random_values(sketch.graph())
        folder = tmp_path / str(side)
        folder.mkdir()
        compiled = Compiled(graph, folder)
        assert compiled.plan.inplace == {"t1": "t0"}
        inputs = random_inputs(graph, 3)
        np.testing.assert_array_equal(compiled.run(inputs), run(graph, inputs))


@pytest.mark.parametrize("factors", [(0.25, 0.25, 0.125, 0.0625), (0.5, 0.25, 1.0, 4.0)], ids=["right", "any"])
def test_rounding_ties_and_saturation(tmp_path: Path, factors: tuple[float, ...]) -> None:
    """Powers of two: many inputs give ties in the first and the second rounding, others leave the int8 range."""
    sketch = Sketch((1, 16, 16, 1))
    sketch.conv("input", 4)
    graph = sketch.graph()
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    tensors = dict(graph.tensors)
    for name, quantization in {
        op.input: Quantization((1.0,), 0),
        op.weights: Quantization(factors, 0, 0),
        op.output: Quantization((1.0,), 3),
    }.items():
        tensors[name] = replace(tensors[name], quantization=quantization)
    values: dict[str, NDArray[np.int8] | NDArray[np.int32]] = {
        op.weights: np.array([1, -1, 3, -77], np.int8).reshape(4, 1, 1, 1),
        op.bias: np.array([0, 1, -2, 7], np.int32),
    }
    graph = graph.with_values(tensors, values)
    inputs = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
    outputs = run(graph, inputs)
    assert outputs.min() == -128 and outputs.max() == 127
    np.testing.assert_array_equal(Compiled(graph, tmp_path).run(inputs), outputs)
    assert ("rescale_any" in (tmp_path / "model.c").read_text()) == (max(factors) > 0.25)


def test_same_bytes_every_time(tmp_path: Path) -> None:
    names = (*FILES, "plan.json")
    contents = []
    for attempt in ("one", "two"):
        folder = tmp_path / attempt
        folder.mkdir()
        write_c(random_network(3), folder)
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)
        contents.append([(folder / name).read_bytes() for name in names])
    assert contents[0] == contents[1]


def test_layers_that_are_alike_share_one_function(tmp_path: Path) -> None:
    sketch = Sketch((1, 4, 4, 8))
    for _ in range(3):
        sketch.conv(sketch.ops[-1].output if sketch.ops else "input", 8)
    graph = with_random_values(sketch.graph())
    same = Quantization((1.0,), 0)
    tensors = {n: replace(t, quantization=same) if t.shape == (1, 4, 4, 8) else t for n, t in graph.tensors.items()}
    write_c(graph.with_values(tensors, graph.constants), tmp_path)
    code = (tmp_path / "model.c").read_text()
    assert len(re.findall(r"^static void pointwise_\w+\(", code, re.MULTILINE)) == 1
    assert len(re.findall(r"^LAYER static void layer_\d\d_pointwise_dsp\(", code, re.MULTILINE)) == 3


def test_header_and_plan_agree(tmp_path: Path) -> None:
    graph = random_network(5)
    result = write_c(graph, tmp_path)
    header = (tmp_path / "model.h").read_text()
    defined = {name: float(value) for name, value in re.findall(r"#define (MODEL_\w+) (-?\d\S*)", header)}
    expected: dict[str, float] = {"MODEL_ARENA_BYTES": result.arena, "MODEL_ARENA_ALIGNMENT": 4}
    for end, name in (("INPUT", graph.inputs[0]), ("OUTPUT", graph.outputs[0])):
        place, quantization = result.activations[name], graph.tensor(name).quantization
        assert quantization is not None
        expected |= {
            f"MODEL_{end}_OFFSET": place.offset,
            f"MODEL_{end}_BYTES": place.nbytes,
            f"MODEL_{end}_SCALE": quantization.scale[0],
            f"MODEL_{end}_ZERO_POINT": quantization.zero_point,
        }
    sides = graph.tensor(graph.inputs[0]).shape[1:]
    expected |= {f"MODEL_INPUT_{side}": size for side, size in zip(("HEIGHT", "WIDTH", "CHANNELS"), sides, strict=True)}
    assert defined == expected
    document = json.loads((tmp_path / "plan.json").read_text())
    assert document["arena"] == result.arena
    assert max(layer["live_bytes"] for layer in document["layers"]) <= document["lower_bound"] <= document["arena"]
    assert [layer["index"] for layer in document["layers"]] == list(range(len(graph.ops)))
    assert {tensor["name"] for tensor in document["tensors"]} >= set(result.activations)


def test_weights_beyond_their_bits_are_refused(tmp_path: Path) -> None:
    sketch = Sketch((1, 4, 4, 3), bits=4)
    sketch.conv("input", 2)
    graph = with_random_values(sketch.graph())
    constants = dict(graph.constants)
    constants["t0.weights"] = np.full((2, 1, 1, 3), 8, np.int8)
    with pytest.raises(BuildError, match=r"layer 0 \(Conv2D\).*'t0.weights'.* 8;.*-7 ... 7"):
        write_c(graph.with_values(graph.tensors, constants), tmp_path)


def test_sums_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    sketch = Sketch((1, 4, 4, 3))
    sketch.conv("input", 2)
    graph = with_random_values(sketch.graph())
    constants = dict(graph.constants)
    constants["t0.bias"] = np.full(2, 2**31 - 5, np.int32)
    with pytest.raises(BuildError, match=r"layer 0 .*32 bits.*'t0.bias'"):
        write_c(graph.with_values(graph.tensors, constants), tmp_path)
