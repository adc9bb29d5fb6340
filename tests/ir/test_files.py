"""Graphs survive files; damage is told."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.ir.files import read_graph, write_graph
from tests.networks import random_network


@pytest.mark.parametrize("seed", range(6))
def test_a_graph_comes_back_as_it_was(tmp_path: Path, seed: int) -> None:
    graph = random_network(seed, bits=8 if seed % 2 else 4)
    write_graph(graph, tmp_path)
    again = read_graph(tmp_path)
    assert again.tensors == graph.tensors
    assert list(again.tensors) == list(graph.tensors)
    assert (again.name, again.ops, again.inputs, again.outputs) == (graph.name, graph.ops, graph.inputs, graph.outputs)
    assert again.constants.keys() == graph.constants.keys()
    for name, values in graph.constants.items():
        assert again.constants[name].dtype == values.dtype
        assert (again.constants[name] == values).all()


def test_equal_graphs_give_equal_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_graph(random_network(1), tmp_path / folder)
    for name in ("model.json", "model.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_skeleton_needs_no_values(tmp_path: Path) -> None:
    graph = random_network(2).with_values(random_network(2).tensors, {})
    write_graph(graph, tmp_path)
    assert read_graph(tmp_path).constants == {}


@pytest.mark.parametrize("name", ["model.json", "model.npz"])
def test_damage_is_never_read_as_a_graph(tmp_path: Path, name: str) -> None:
    """A cut or changed file gives a BuildError that names it, or (where nothing depends on it) the same graph."""
    graph = random_network(2)
    write_graph(graph, tmp_path)
    path = tmp_path / name
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    broken = [data[: len(data) * part // 8] for part in range(8)]
    if name == "model.npz":  # JSON has no checksum, so changed digits are beyond detection there
        for position in rng.integers(0, len(data), 150):
            broken.append(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
    caught = 0
    for content in broken:
        path.write_bytes(content)
        try:
            again = read_graph(tmp_path)
        except BuildError as error:
            assert str(tmp_path) in str(error)
            caught += 1
        else:
            assert all((again.constants[key] == graph.constants[key]).all() for key in graph.constants)
    assert caught > len(broken) * 0.7
    path.unlink()
    with pytest.raises(BuildError, match=name):
        read_graph(tmp_path)


def test_a_changed_structure_is_refused(tmp_path: Path) -> None:
    write_graph(random_network(2), tmp_path)
    path = tmp_path / "model.json"
    original = json.loads(path.read_text())
    for key in original:
        content = {other: value for other, value in original.items() if other != key}
        path.write_text(json.dumps(content))
        with pytest.raises(BuildError, match=r"model\.json"):
            read_graph(tmp_path)
    path.write_text(json.dumps({**original, "operators": original["operators"][1:]}))
    with pytest.raises(BuildError, match="before any operator writes it"):
        read_graph(tmp_path)
    path.write_text("[]")
    with pytest.raises(BuildError, match=r"model\.json"):
        read_graph(tmp_path)
