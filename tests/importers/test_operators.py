"""Every operator that is imported, in random networks: against TensorFlow Lite Micro, as C on this machine, as ELF."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcubuild.engine.memory.pieces import pieces
from mcubuild.importers.tflite import converted, import_tflite
from mcubuild.ir import executor
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.elementwise import Prelu
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Pad
from mcubuild.ir.ops.pool import Pool
from tests.e2e.test_agreement import BOARDS, LEVELS, check
from tests.engine.chains import ON, check_bits
from tests.importers.networks import OPERATORS, Network, network_of, random_network
from tests.importers.outputs import flat
from tests.importers.reference import References, host_runs, micro_runs, needs_micro
from tests.importers.writer import write
from tests.toolchains import TOOLCHAINS

SAMPLES = 3
SEEDS = st.integers(0, 2**32 - 1)
ELSEWHERE_IN_MICRO = ("fully_connected", "reduction", "ring", "svdf", "lstm", "division")
"""LiteRT's host kernels round the sums of fully connected layers once, Micro's twice; their SUM of int8 is another.

They want variables to be assigned first, recurrent layers to tell of intermediate tensors, and have no DIV of int8.
"""
ROUNDED_ALIKE = tuple(kind for kind in OPERATORS if kind not in ELSEWHERE_IN_MICRO)
UNSIGNED = (
    *("conv", "grouped", "depthwise", "fully_connected", "binary", "pool", "mean", "function", "softmax"),
    *("reshape", "concatenation", "split", "strided_slice", "pad", "transpose"),
)
"""Operators that networks of uint8 may have."""


def imported(net: Network, folder: Path) -> tuple[bytes, Graph]:
    data = net.finish()
    return data, import_tflite(write(folder / "net.tflite", data)).graph


def samples_of(net: Network, graph: Graph, count: int) -> tuple[list[NDArray[np.integer[Any]]], NDArray[np.int8]]:
    """``count`` inputs, and as the executor takes them: runs of one sample where variables remember."""
    inputs = net.samples(count)
    return inputs, flat(inputs).reshape(1, -1) if graph.variables else flat(inputs)


def compare(net: Network, folder: Path, reference: References) -> int:
    """Compare every activation that the graph has under the file's number, and what rewriting leaves; how many."""
    data, simple = imported(net, folder)
    graph = converted(folder / "net.tflite").graph
    inputs, samples = samples_of(net, graph, SAMPLES)
    np.testing.assert_array_equal(executor.run(simple, samples), executor.run(graph, samples))
    got = {name.split(".")[0]: x for name, x in executor.run_all(graph, samples).items() if ".raw" not in name}
    values = [value for value in (*net.values, *net.outputs) if f"t{value.index}" in got]
    runs = [[x[number : number + 1] for x in inputs] for number in range(SAMPLES)]
    for number, expected in enumerate(reference(data, runs, [value.index for value in values])):
        for value in values:
            found = got[f"t{value.index}"][number].ravel()
            levels = expected[value.index].ravel().astype(int) - net.unsigned
            np.testing.assert_array_equal(found, levels, f"tensor {value.index}, {net.kinds}")
    return len(values) - len(net.inputs)


@needs_micro
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", OPERATORS)
def test_each_operator_is_micros(tmp_path: Path, kind: str, dtype: str) -> None:
    networks = (random_network(seed, 6, (kind, "function"), dtype == "int16", dtype) for seed in range(5))
    assert sum(compare(net, tmp_path, micro_runs) for net in networks) > 0


def check_any_network(
    folder: Path, reference: References, kinds: tuple[str, ...], examples: int, dtype: str = "int8"
) -> None:
    """Networks that hypothesis makes up, and makes small where they fail."""

    @settings(max_examples=examples, deadline=None)
    @given(SEEDS, st.lists(st.tuples(st.sampled_from(kinds), SEEDS), min_size=1, max_size=10))
    def holds(seed: int, steps: list[tuple[str, int]]) -> None:
        net = network_of(seed, steps, bias=reference is host_runs, dtype=dtype)
        assume(set(net.kinds) - {"RESHAPE"})  # alone it leaves nothing to compute
        compare(net, folder, reference)

    holds()


@needs_micro
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("examples", [30, pytest.param(2000, marks=pytest.mark.slow)])
def test_networks_are_micros(tmp_path: Path, examples: int, dtype: str) -> None:
    check_any_network(tmp_path, micro_runs, tuple(OPERATORS), examples, dtype)


@pytest.mark.parametrize("examples", [30, pytest.param(2000, marks=pytest.mark.slow)])
def test_networks_are_those_of_the_host(tmp_path: Path, examples: int) -> None:
    """LiteRT's reference kernels."""
    check_any_network(tmp_path, host_runs, ROUNDED_ALIKE, examples)


@pytest.mark.parametrize("examples", [30, pytest.param(2000, marks=pytest.mark.slow)])
def test_networks_of_uint8_are_those_of_the_host(tmp_path: Path, examples: int) -> None:
    """Micro has no kernels for them; LiteRT's reference kernels round fully connected layers once here, too."""
    check_any_network(
        tmp_path, host_runs, tuple(kind for kind in UNSIGNED if kind != "fully_connected"), examples, "uint8"
    )


def row_of(seed: int) -> Network:
    """Operators one after the other, all of which stream."""
    net = Network(seed)
    net.input((1, net.number(12, 40), net.number(4, 11), net.number(1, 4)))
    kinds = ("conv", "depthwise", "pool", "pool", "function", "function", "pad")
    while len(net.kinds) < 7:
        OPERATORS[kinds[net.number(0, len(kinds) - 1)]](net)
        net.values = net.values[-1:]
    return net


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 60))])
def test_activations_and_pools_in_chains(tmp_path: Path, seed: int) -> None:
    _, graph = imported(row_of(seed), tmp_path)
    unchained = [op for piece in pieces(graph, ON) if piece.flow is None for op in graph.ops[piece.steps.start :][:1]]
    assert not any(isinstance(op, Lookup | Pool | Pad) for op in unchained)
    check_bits(graph, tmp_path, seed)


def zero_point(graph: Graph, name: str) -> int:
    quantization = graph.tensor(name).quantization
    assert quantization is not None
    return quantization.zero_point


def check_c(
    folder: Path, seed: int, toolchain: str, dtype: str, kinds: tuple[str, ...] = tuple(OPERATORS), operators: int = 8
) -> None:
    net = random_network(seed, operators, kinds, dtype=dtype)
    _, graph = imported(net, folder)
    level = LEVELS[seed // 2 % 3]
    check(graph, samples_of(net, graph, SAMPLES)[1], folder, BOARDS[seed % 2], toolchain, level)
    predicted = json.loads((folder / "c" / "plan.json").read_text())["predicted"]
    sizes = json.loads((folder / "out" / "sizes.json").read_text())
    weights = [sizes["sections"].get(name, {"bytes": 0})["bytes"] for name in (".model_weights", ".fast_weights")]
    clamps = [getattr(op, "clamp", None) for op in graph.ops]
    one = any(clamp is not None and clamp[0] == clamp[1] for clamp in clamps)
    if one or any(isinstance(op, Prelu) for op in graph.ops):
        # Compilers see that one possible value needs no weights, and that slopes of values that never come need none.
        assert sum(weights) <= predicted["weights"]
    else:
        assert sum(weights) == predicted["weights"]
    if (toolchain, level) == ("zig", "O2"):
        assert sizes["flash_bytes"] <= predicted["flash"]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(8))
def test_c_and_elf(tmp_path: Path, seed: int, toolchain: str, dtype: str) -> None:
    check_c(tmp_path, seed, toolchain, dtype)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))])
def test_c_and_elf_of_uint8(tmp_path: Path, seed: int) -> None:
    kinds = ("conv", "depthwise", "fully_connected", "pool") if seed < 2 else UNSIGNED
    check_c(tmp_path, seed, "zig", "uint8", kinds)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", OPERATORS)
def test_c_and_elf_of_each_operator(tmp_path: Path, kind: str, dtype: str) -> None:
    check_c(tmp_path, 5, "zig", dtype, (kind, "function"), 5)


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(200, 230))
def test_c_and_elf_of_many(tmp_path: Path, seed: int, toolchain: str, dtype: str) -> None:
    check_c(tmp_path, seed, toolchain, dtype)
