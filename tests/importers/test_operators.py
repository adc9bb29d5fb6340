"""Every operator that is imported, in random networks: against TensorFlow Lite Micro, as C on this machine, as ELF."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.importers.tflite import import_tflite
from mcubuild.ir import executor
from mcubuild.ir.graph import Graph
from tests.e2e.test_agreement import BOARDS, LEVELS, TOOLCHAINS, check
from tests.importers.networks import OPERATORS, Network, random_network
from tests.importers.reference import Reference, host_tensors, micro_tensors
from tests.importers.writer import write

SAMPLES = 2
ROUNDED_ALIKE = tuple(kind for kind in OPERATORS if kind != "fully_connected")
"""LiteRT's host kernels round the sums of fully connected layers once, Micro's twice."""


def imported(net: Network, folder: Path) -> tuple[bytes, Graph]:
    data = net.finish()
    return data, import_tflite(write(folder / "net.tflite", data)).graph


def flat(inputs: list[NDArray[np.int8]]) -> NDArray[np.int8]:
    return inputs[0] if len(inputs) == 1 else np.hstack([part.reshape(len(part), -1) for part in inputs])


def compare(net: Network, folder: Path, reference: Reference) -> int:
    """Compare every activation that the graph has under the file's number; how many there were."""
    data, graph = imported(net, folder)
    inputs = net.samples(SAMPLES)
    got = {name.split(".")[0]: x for name, x in executor.run_all(graph, flat(inputs)).items() if ".raw" not in name}
    values = [value for value in net.values if f"t{value.index}" in got]
    for sample in range(SAMPLES):
        expected = reference(data, [x[sample : sample + 1] for x in inputs], [value.index for value in values])
        for value in values:
            found = got[f"t{value.index}"][sample].ravel()
            np.testing.assert_array_equal(found, expected[value.index].ravel(), f"tensor {value.index}, {net.kinds}")
    return len(values) - len(net.inputs)


@pytest.mark.parametrize("kind", OPERATORS)
def test_each_operator_is_micros(tmp_path: Path, kind: str) -> None:
    assert sum(compare(random_network(seed, 6, (kind, "function")), tmp_path, micro_tensors) for seed in range(5)) > 0


@pytest.mark.parametrize("seed", range(20))
def test_networks_are_micros(tmp_path: Path, seed: int) -> None:
    assert compare(random_network(seed, 8), tmp_path, micro_tensors) > 2


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 1100, 100))
def test_many_networks_are_micros(tmp_path: Path, start: int) -> None:
    for seed in range(start, start + 100):
        compare(random_network(seed, 8), tmp_path, micro_tensors)


@pytest.mark.parametrize("seed", range(20, 40))
def test_networks_are_those_of_the_host(tmp_path: Path, seed: int) -> None:
    """LiteRT's reference kernels."""
    assert compare(random_network(seed, 8, ROUNDED_ALIKE, bias=True), tmp_path, host_tensors) > 2


def check_c(folder: Path, seed: int, kinds: tuple[str, ...] = tuple(OPERATORS)) -> None:
    net = random_network(seed, 8, kinds)
    _, graph = imported(net, folder)
    toolchain, level = TOOLCHAINS[seed // 2 % 2], LEVELS[seed // 4 % 3]
    check(graph, flat(net.samples(3)), folder, BOARDS[seed % 2], toolchain, level)
    predicted = json.loads((folder / "c" / "plan.json").read_text())["predicted"]
    sizes = json.loads((folder / "out" / "sizes.json").read_text())
    assert sizes["sections"].get(".model_weights", {"bytes": 0})["bytes"] == predicted["weights"]
    if (toolchain, level) == ("zig", "O2"):
        assert sizes["flash_bytes"] <= predicted["flash"]


@pytest.mark.parametrize("seed", range(8))
def test_c_and_elf(tmp_path: Path, seed: int) -> None:
    check_c(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 230))
def test_c_and_elf_of_many(tmp_path: Path, seed: int) -> None:
    check_c(tmp_path, seed)
