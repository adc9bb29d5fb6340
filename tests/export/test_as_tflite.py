"""The network as .tflite: the importer makes the same bits of it, LiteRT and TensorFlow Lite Micro compute them."""

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tflite

from mcubuild import ROOT
from mcubuild.errors import BuildError, printable
from mcubuild.export.tflite.file import About, tflite_file, told
from mcubuild.export.tflite.operators import WRITERS
from mcubuild.importers.tflite import import_tflite
from mcubuild.importers.tflite_file import read_file
from mcubuild.ir import executor
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops import operators
from mcubuild.ir.ops.lstm import Lstm
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.svdf import Svdf
from mcubuild.ir.ops.weighted import FullyConnected, Weighted
from tests.hostile import HOSTILE
from tests.importers.networks import OPERATORS, REMEMBERING, Network, random_network
from tests.importers.outputs import flat
from tests.importers.reference import Reference, host_tensors, micro_tensors, needs_micro
from tests.importers.writer import write
from tests.networks import packed, random_inputs
from tests.networks import random_network as searched_network

MODELS = ROOT.parent / "shared" / "models"
ABOUT = About("net", "a net", "free")
SEEDS = range(2)


TELLABLE = [kind for kind in OPERATORS if kind not in REMEMBERING]


def exported(graph: Graph, folder: Path, about: About = ABOUT) -> tuple[bytes, Graph]:
    """The file, and the graph that comes back from it."""
    data = tflite_file(graph, about)
    return data, import_tflite(write(folder / "exported.tflite", data)).graph


def networks(kind: str, dtype: str, folder: Path) -> list[tuple[Network, Graph, bytes, Graph]]:
    """Random ones with this kind of operator, in its file's order: net, graph, file and the graph that came back."""
    found = []
    for seed in SEEDS:
        net = random_network(seed, 6, (kind, "function"), dtype == "int16", dtype)
        if set(net.kinds) - {"RESHAPE"}:
            graph = import_tflite(write(folder / "net.tflite", net.finish())).graph
            found.append((net, graph, *exported(graph, folder)))
    return found


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", TELLABLE)
def test_it_comes_back_with_the_same_bits(kind: str, dtype: str, tmp_path: Path) -> None:
    found = networks(kind, dtype, tmp_path)
    assert found
    for net, graph, _, again in found:
        inputs = flat(net.samples(3))
        np.testing.assert_array_equal(
            executor.run(again, inputs).ravel(), executor.run(graph, inputs).ravel(), str(net.kinds)
        )


def check(net: Network, graph: Graph, data: bytes, reference: Reference) -> None:
    """Every tensor that both have."""
    samples = net.samples(1)
    model = told(graph, "net")
    got = executor.run_all(graph, flat(samples))
    numbers = {name: model.number(name) for name in got}
    expected = reference(data, [x[:1] for x in samples], list(numbers.values()))
    for name, number in numbers.items():
        np.testing.assert_array_equal(got[name][0].ravel(), expected[number].ravel(), f"{name}, {net.kinds}")


@needs_micro
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", TELLABLE)
def test_micro_computes_the_same(kind: str, dtype: str, tmp_path: Path) -> None:
    for net, graph, data, _ in networks(kind, dtype, tmp_path):
        check(net, graph, data, micro_tensors)


@pytest.mark.parametrize(
    ("bits", "reference"),
    [(8, host_tensors), *(pytest.param(bits, micro_tensors, marks=needs_micro) for bits in (8, 4))],
)
def test_networks_like_searched_ones(bits: int, reference: Reference, tmp_path: Path) -> None:
    """Odd padding, clamps that no activation function has. LiteRT's host kernels round fully connected layers once."""
    tellable = 0
    for seed in range(4):
        graph = searched_network(seed, bits)
        inputs = random_inputs(graph, 3)
        try:
            data, again = exported(graph, tmp_path)
        except BuildError as error:
            assert "averages without its padding" in str(error)
            continue
        np.testing.assert_array_equal(executor.run(again, inputs), executor.run(graph, inputs))
        assert {tensor.bits for name, tensor in again.tensors.items() if ".weights" in name} <= {bits}
        compare = [*graph.inputs]
        for op in graph.ops:
            if isinstance(op, FullyConnected) and reference is host_tensors:
                break
            compare.append(op.output)
        model, got = told(graph, "net"), executor.run_all(graph, inputs)
        for sample in range(3):
            expected = reference(data, [inputs[sample : sample + 1]], [model.number(name) for name in compare])
            for name in compare:
                np.testing.assert_array_equal(got[name][sample].ravel(), expected[model.number(name)].ravel(), name)
        tellable += 1
    assert tellable > 1


@needs_micro
@pytest.mark.parametrize("seed", range(4))
def test_activations_of_4_bits_are_limited_by_operators(seed: int, tmp_path: Path) -> None:
    """The format has no such type of theirs: they are INT8 with MINIMUM and MAXIMUM."""
    graph = packed(searched_network(seed, 4), seed, 1.0)
    inputs = random_inputs(graph, 3)
    try:
        data, again = exported(graph, tmp_path)
    except BuildError as error:
        assert "averages without its padding" in str(error)
        return
    np.testing.assert_array_equal(executor.run(again, inputs), executor.run(graph, inputs))
    model, got = told(graph, "net"), executor.run_all(graph, inputs)
    expected = micro_tensors(data, [inputs[:1]], [model.number(name) for name in graph.outputs])
    for name in graph.outputs:
        np.testing.assert_array_equal(got[name][0].ravel(), expected[model.number(name)].ravel())


@pytest.mark.skipif(not MODELS.is_dir(), reason="the reference networks (../shared/models) are not here")
@pytest.mark.parametrize("name", ["kws", "resnet", "vww96", "ad01"])
def test_networks_of_others(name: str, tmp_path: Path) -> None:
    """Nothing of the graph changes, but for what tensors are called."""
    graph = import_tflite(MODELS / f"{name}.tflite").graph
    data, again = exported(graph, tmp_path)
    assert [type(op) for op in again.ops] == [type(op) for op in graph.ops]
    assert len(data) < 1.15 * (MODELS / f"{name}.tflite").stat().st_size
    inputs = np.load(MODELS / f"{name}_in.npy")[:4]
    inputs = inputs.reshape(len(inputs), *executor.sample_shape(graph))
    np.testing.assert_array_equal(executor.run(again, inputs), executor.run(graph, inputs))


def test_weights_of_4_bits_have_a_type_of_their_own(tmp_path: Path) -> None:
    graph = searched_network(1, 4)
    exported(graph, tmp_path)
    file = read_file(tmp_path / "exported.tflite")
    weights = [tensor for tensor in file.tensors if tensor.dtype == "INT4"]
    assert len(weights) == sum(isinstance(op, Weighted) for op in graph.ops)
    constants = {name: values for name, values in graph.constants.items() if graph.tensor(name).bits == 4}
    for tensor in weights:
        assert tensor.values is not None
        name = tensor.name.removesuffix(".1x1")
        np.testing.assert_array_equal(tensor.values, constants[name].reshape(tensor.shape))
        assert tensor.scale == graph.quantization(name).scale


def test_versions_are_those_of_the_converter(tmp_path: Path) -> None:
    """Of a network that TensorFlow's converter wrote: what is written for the same operators asks for no other."""
    path = MODELS / "resnet.tflite"
    if not path.is_file():
        pytest.skip("the reference networks (../shared/models) are not here")
    theirs, ours = (codes(data) for data in (path.read_bytes(), tflite_file(import_tflite(path).graph, ABOUT)))
    assert set(ours) <= set(theirs)


def codes(data: bytes) -> list[tuple[int, int]]:
    """Operators and their versions."""
    model = tflite.Model.GetRootAs(data, 0)
    found = (model.OperatorCodes(index) for index in range(model.OperatorCodesLength()))
    return [(code.BuiltinCode() or code.DeprecatedBuiltinCode(), code.Version()) for code in found]


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    """Classes are in the file that readers of metadata look for, one a line; nothing else is in it."""
    graph = searched_network(3)
    classes = (*HOSTILE, "plain", "Katze")[: graph.tensor(graph.outputs[0]).elements]
    about = About("net", "\n".join(HOSTILE[:3]), "free", classes)
    data, again = exported(graph, tmp_path, about)
    inputs = random_inputs(graph, 3)
    np.testing.assert_array_equal(executor.run(again, inputs), executor.run(graph, inputs))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["labels.txt"]
        lines = archive.read("labels.txt").decode().splitlines()
    assert lines == [printable(name) for name in classes]
    assert data == tflite_file(graph, about)


def test_metadata_says_what_the_input_is(tmp_path: Path) -> None:
    """Read by the schema's slots alone, as no bindings of it are at hand."""
    graph = searched_network(3)
    classes = tuple(f"class {label}" for label in range(graph.tensor(graph.outputs[0]).elements))
    data = tflite_file(graph, About("digits", "of digits", "free", classes, pictures=True))
    model = tflite.Model.GetRootAs(data, 0)
    entry = model.Metadata(0)
    assert entry.Name() == b"TFLITE_METADATA" and model.Description() == b"of digits"
    buffer = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert buffer[4:8] == b"M001"
    root = Reader(buffer, int.from_bytes(buffer[:4], "little"))
    assert (root.text(0), root.text(1), root.text(5)) == ("digits", "of digits", "free")
    (subgraph,) = root.tables(3)
    (output,) = subgraph.tables(3)
    (labels,) = output.tables(6)
    assert (labels.text(0), labels.byte(2)) == ("labels.txt", 2)
    (input_,) = subgraph.tables(2)
    scale, zero_point = graph.scale(graph.inputs[0])
    if input_.place(3):
        (unit,) = input_.tables(4)
        mean, std = unit.table(1).floats(0)[0], unit.table(1).floats(1)[0]
        assert (100 - mean) / std == pytest.approx(scale * (100 - 128 - zero_point))


@dataclass(frozen=True)
class Reader:
    """A table of a flatbuffer, by "FlatBuffers: Internals"."""

    data: bytes
    at: int

    def place(self, slot: int) -> int:
        """Of a field; 0 where it is not there."""
        table = self.at - int.from_bytes(self.data[self.at : self.at + 4], "little", signed=True)
        if 4 + 2 * slot >= int.from_bytes(self.data[table : table + 2], "little"):
            return 0
        offset = int.from_bytes(self.data[table + 4 + 2 * slot : table + 6 + 2 * slot], "little")
        return self.at + offset if offset else 0

    def followed(self, at: int) -> int:
        return at + int.from_bytes(self.data[at : at + 4], "little")

    def table(self, slot: int) -> "Reader":
        return Reader(self.data, self.followed(self.place(slot)))

    def tables(self, slot: int) -> list["Reader"]:
        start = self.followed(self.place(slot))
        count = int.from_bytes(self.data[start : start + 4], "little")
        return [Reader(self.data, self.followed(start + 4 + 4 * index)) for index in range(count)]

    def byte(self, slot: int) -> int:
        return self.data[self.place(slot)]

    def text(self, slot: int) -> str:
        start = self.followed(self.place(slot))
        return self.data[start + 4 : start + 4 + int.from_bytes(self.data[start : start + 4], "little")].decode()

    def floats(self, slot: int) -> list[float]:
        start = self.followed(self.place(slot))
        count = int.from_bytes(self.data[start : start + 4], "little")
        return [float(value) for value in np.frombuffer(self.data, "<f4", count, start + 4)]


def test_what_cannot_be_told_is_refused_by_its_place() -> None:
    graph = searched_network(0)
    source = graph.tensor(graph.inputs[0])
    pooled = replace(source, name="pooled", shape=(*source.shape[:2], source.shape[2] + 1, source.shape[3]))
    op = AveragePool2D(source.name, "pooled", (2, 2), padding=(1, 0, 1, 1))
    odd = Graph("net", {source.name: source, "pooled": pooled}, (op,), graph.inputs, ("pooled",))
    told_of = r"net: operator 0 \(AveragePool2D\), which writes 'pooled', averages without its padding \(1, 0, 1, 1\)"
    with pytest.raises(BuildError, match=told_of):
        tflite_file(odd, ABOUT)


def test_every_operator_has_a_counterpart() -> None:
    assert set(WRITERS) == set(operators().values()) - {Svdf, Lstm}


@pytest.mark.parametrize("kind", REMEMBERING)
def test_what_is_kept_from_run_to_run_cannot_be_told(kind: str, tmp_path: Path) -> None:
    graph = import_tflite(write(tmp_path / "net.tflite", random_network(1, 1, (kind,)).finish())).graph
    assert graph.variables
    with pytest.raises(BuildError, match="computes with what is kept from run to run: the network cannot be told"):
        tflite_file(graph, ABOUT)


def test_uint8_cannot_be_told(tmp_path: Path) -> None:
    told_of = set()
    for seed in range(12):
        net = random_network(seed, 3, ("conv", "pool"), dtype="uint8")
        graph = import_tflite(write(tmp_path / "net.tflite", net.finish())).graph
        try:
            tflite_file(graph, ABOUT)
        except BuildError as error:
            told_of |= {why for why in ("weights with a zero point", "rounds averages") if why in str(error)}
    assert len(told_of) == 2
