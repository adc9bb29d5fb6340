"""The network as ONNX: the importer makes the same bits of it, ONNX Runtime nearly the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.errors import BuildError, printable
from mcubuild.export.onnx_file import onnx_file
from mcubuild.importers.network import import_network
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir import executor
from mcubuild.ir.graph import Graph
from tests.hostile import HOSTILE
from tests.importers.networks import random_network
from tests.importers.outputs import flat
from tests.importers.writer import write
from tests.networks import packed, random_inputs
from tests.networks import random_network as searched_network

onnx = pytest.importorskip("onnx")
KINDS = ("conv", "depthwise", "pool", "concatenation", "pad", "transpose", "strided_slice", "binary", "mean", "softmax")


def check(graph: Graph, inputs: NDArray[np.int8], folder: Path) -> bytes:
    """The file, which gives the same outputs as its author sees them: images with channels first."""
    data = onnx_file(graph, "net", "a net", ())
    (folder / "net.onnx").write_bytes(data)
    again = import_network(folder / "net.onnx")
    got = executor.run(again.graph, inputs.reshape(len(inputs), *executor.sample_shape(again.graph)))
    expected = executor.run(graph, inputs)
    got, expected = (x.reshape(len(inputs), -1) for x in (got, expected))
    begin = 0
    for name, face in zip(graph.outputs, again.outputs, strict=True):
        shape = graph.tensor(name).shape
        end = begin + graph.tensor(name).elements
        levels = expected[:, begin:end].reshape(len(inputs), *shape[1:])
        if len(shape) == 4:
            levels = levels.transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(got[:, begin:end], face.arranged(levels.reshape(len(inputs), -1)), name)
        begin = end
    return data


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("seed", range(6))
def test_networks_like_searched_ones_come_back(seed: int, bits: int, tmp_path: Path) -> None:
    graph = searched_network(seed, bits)
    check(graph, random_inputs(graph, 3), tmp_path)
    few = packed(graph, seed, 1.0)
    check(few, random_inputs(few, 3), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_operators_of_imported_networks_come_back(kind: str, tmp_path: Path) -> None:
    told = 0
    for seed in range(4):
        net = random_network(seed, 4, (kind, "conv", "reshape"))
        graph = import_tflite(write(tmp_path / "net.tflite", net.finish())).graph
        try:
            check(graph, flat(net.samples(3)), tmp_path)
            told += 1
        except BuildError as error:
            assert "has beta" in str(error) and kind == "softmax"
    assert told


@pytest.mark.needs("onnxruntime")
def test_onnx_runtime_is_at_most_a_level_off_layer_by_layer(tmp_path: Path) -> None:
    """Of one convolution; it computes in floating point, and rounds half to even."""
    import onnxruntime

    graph = import_tflite(write(tmp_path / "net.tflite", random_network(1, 1, ("conv",)).finish())).graph
    data = onnx_file(graph, "net", "a net", ())
    session = onnxruntime.InferenceSession(data)
    inputs = random_inputs(graph, 3)
    scale, zero = graph.scale(graph.inputs[0])
    real = ((inputs.astype(np.float32) - zero) * np.float32(scale)).transpose(0, 3, 1, 2)
    name = session.get_inputs()[0].name
    outputs = np.concatenate([session.run(None, {name: one[None]})[0] for one in real]).transpose(0, 2, 3, 1)
    scale, zero = graph.scale(graph.outputs[0])
    assert np.abs(np.rint(outputs / scale) + zero - executor.run(graph, inputs)).max() <= 1


def test_names_are_text() -> None:
    graph = searched_network(3)
    model: Any = onnx.ModelProto.FromString(onnx_file(graph, "net", HOSTILE[0], HOSTILE))
    props = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(props["classes"]) == [printable(name) for name in HOSTILE]
    assert model.opset_import[0].version == 13 and model.producer_name == "mcubuild"


def test_what_cannot_be_told_is_refused_by_its_place(tmp_path: Path) -> None:
    net = random_network(0, 1, ("resize",))
    graph = import_tflite(write(tmp_path / "net.tflite", net.finish())).graph
    with pytest.raises(BuildError, match=r"net: operator 0 \(Resize\), which writes '.*', has no counterpart"):
        onnx_file(graph, "net", "a net", ())
