"""Networks that remember from run to run: streaming wake words, and what is told of variables that are not read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.plan import PLAN, Planned
from mcubuild.artifacts.sizes import SIZES, Sizes
from mcubuild.board import read_board
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir import executor
from mcubuild.ir.files import fingerprint, read_graph, write_graph
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from tests.e2e.test_agreement import check
from tests.importers.reference import micro_runs, needs_micro
from tests.importers.scores import accuracy
from tests.importers.writer import Writer, write

FRAMES = 5
BEGIN = np.arange(-3, 5, dtype=np.int8).reshape(1, 2, 1, 4)


class Stream:
    """A network of 8 bits under construction that reads one frame of ``channels`` a run."""

    def __init__(self, channels: int = 4, initial: NDArray[np.int8] | None = None) -> None:
        self.writer, self.rng, self.count = Writer(), np.random.default_rng(channels), 0
        if initial is not None:
            with self.writer.another() as number:
                handle = self.handle("ring0")
                values = self.writer.tensor(initial.shape, "int8", 0.05, 3, values=initial)
                self.writer.operator("ASSIGN_VARIABLE", [handle, values], [])
            self.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
        self.input = self.writer.tensor((1, 1, 1, channels), "int8", 0.05, 3)

    def handle(self, name: str) -> int:
        handle = self.writer.tensor((), "resource")
        self.writer.operator("VAR_HANDLE", [], [handle], Container="", SharedName=name)
        return handle

    def like(self, x: int, shape: tuple[int, ...]) -> int:
        return self.writer.tensor(shape, "int8", *((0.05, 3) if x == self.input else (0.1, -5)))

    def numbers(self, *values: int) -> int:
        return self.writer.tensor((len(values),), "int32", values=np.array(values))

    def ring(self, x: int, rows: int) -> int:
        """The last ``rows`` rows and the new ones of ``x``."""
        shape = self.writer.shapes[x]
        handle, name = self.handle(f"ring{self.count}"), f"ring{self.count}"
        self.count += 1
        before, joined = self.like(x, (1, rows, *shape[2:])), self.like(x, (1, rows + shape[1], *shape[2:]))
        after = self.like(x, (1, rows, *shape[2:]))
        self.writer.operator("READ_VARIABLE", [handle], [before])
        self.writer.operator("CONCATENATION", [before, x], [joined], Axis=1)
        ends = self.numbers(0, -rows, 0, 0), self.numbers(0, 0, 0, 0), self.numbers(1, 1, 1, 1)
        self.writer.operator("STRIDED_SLICE", [joined, *ends], [after], BeginMask=13, EndMask=15)
        self.writer.operator("ASSIGN_VARIABLE", [self.handle(name), after], [])
        return joined

    def conv(self, x: int, filters: int, kernel: int) -> int:
        """Over ``kernel`` rows, without padding."""
        _, rows, _, channels = self.writer.shapes[x]
        scale = 0.05 if x == self.input or rows == 3 else 0.1
        values = self.rng.integers(-127, 128, (filters, kernel, 1, channels)).astype(np.int8)
        weights = self.writer.tensor(values.shape, "int8", 0.01, values=values)
        bias = self.writer.tensor((filters,), "int32", scale * 0.01, values=self.rng.integers(-900, 900, filters))
        result = self.like(-1, (1, rows - kernel + 1, 1, filters))
        options = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FusedActivationFunction": 1}
        self.writer.operator("CONV_2D", [x, weights, bias], [result], **options)
        return result

    def depthwise(self, x: int, kernel: int) -> int:
        _, rows, _, channels = self.writer.shapes[x]
        values = self.rng.integers(-127, 128, (1, kernel, 1, channels)).astype(np.int8)
        weights = self.writer.tensor(values.shape, "int8", 0.01, values=values)
        bias = self.writer.tensor((channels,), "int32", 0.1 * 0.01, values=self.rng.integers(-900, 900, channels))
        result = self.like(-1, (1, rows - kernel + 1, 1, channels))
        options = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DepthMultiplier": 1}
        self.writer.operator("DEPTHWISE_CONV_2D", [x, weights, bias], [result], **options)
        return result


def wake_word() -> tuple[bytes, list[int]]:
    """A small network of micro_wake_word's kind: rings of frames in front of each convolution; its numbered tensors."""
    net = Stream(8)
    x = net.conv(net.ring(net.input, 2), 6, 3)
    x = net.conv(net.depthwise(net.ring(x, 4), 5), 8, 1)
    joined = net.ring(x, 3)
    flat = net.writer.tensor((1, 32), "int8", 0.1, -5)
    net.writer.operator("RESHAPE", [joined, net.numbers(1, 32)], [flat])
    weights = net.writer.tensor((1, 32), "int8", 0.002, values=net.rng.integers(-127, 128, (1, 32)).astype(np.int8))
    bias = net.writer.tensor((1,), "int32", 0.0002, values=np.array([100]))
    logit = net.writer.tensor((1, 1), "int8", 0.15, 10)
    net.writer.operator("FULLY_CONNECTED", [flat, weights, bias], [logit])
    answer = net.writer.tensor((1, 1), "int8", 1 / 256, -128)
    net.writer.operator("LOGISTIC", [logit], [answer])
    return net.writer.finish([net.input], [answer]), [joined, logit, answer]


def sum_of_ring(initial: NDArray[np.int8] | None) -> bytes:
    """Two frames from before and the new one, as they are."""
    net = Stream(4, initial)
    joined = net.ring(net.input, 2)
    result = net.like(net.input, (1, 3, 1, 4))
    net.writer.operator("MAXIMUM", [joined, joined], [result])
    return net.writer.finish([net.input], [result])


def frames(count: int, channels: int, runs: int = FRAMES) -> NDArray[np.int8]:
    """int8 (count, runs * channels)."""
    return np.random.default_rng(1).integers(-128, 128, (count, runs * channels)).astype(np.int8)


@pytest.mark.parametrize("initial", [None, BEGIN, np.full((1, 2, 1, 4), -7, np.int8)], ids=["zero", "table", "byte"])
def test_a_ring_of_frames(tmp_path: Path, initial: NDArray[np.int8] | None) -> None:
    """Worked out by hand: executor, C on this machine, and the emulated ELF, each sample from the beginning."""
    graph = import_tflite(write(tmp_path / "net.tflite", sum_of_ring(initial))).graph
    (variable,) = graph.variables.values()
    before = np.full((2, 4), 3) if initial is None else initial.reshape(2, 4)
    np.testing.assert_array_equal(variable.initial.reshape(2, 4), before)
    samples = frames(2, 4)
    seen = [np.vstack([before, sample.reshape(FRAMES, 4)]) for sample in samples]
    expected = np.array([[rows[run : run + 3] for run in range(FRAMES)] for rows in seen])
    got = check(graph, samples, tmp_path, "stm32f412")
    np.testing.assert_array_equal(got, expected.reshape(2, -1))
    predicted, sizes = (
        read_artifact(tmp_path / "c" / PLAN, Planned).predicted,
        read_artifact(tmp_path / "out" / SIZES, Sizes),
    )
    assert predicted.sram == sizes.arena + sizes.static + sizes.stack_reserved


@needs_micro
def test_wake_words_are_micros(tmp_path: Path) -> None:
    data, wanted = wake_word()
    graph = import_tflite(write(tmp_path / "net.tflite", data)).graph
    assert len(graph.variables) == 3
    samples = frames(1, 8, runs=20)
    found = executor.run(graph, samples).reshape(20)
    runs = micro_runs(data, [[frame.reshape(1, 1, 1, 8)] for frame in samples.reshape(20, 8)], wanted)
    np.testing.assert_array_equal(found, [int(run[wanted[-1]].ravel()[0]) for run in runs])
    assert len(set(found.tolist())) > 5


def test_wake_words_in_c(tmp_path: Path) -> None:
    graph = import_tflite(write(tmp_path / "net.tflite", wake_word()[0])).graph
    outputs = check(graph, frames(2, 8), tmp_path, "stm32f412")
    apart = executor.run(graph, frames(2, 8).reshape(-1, 8))
    assert (outputs.ravel() != apart.ravel()).any(), "what came before matters"


def test_variables_lie_above_everything_else(tmp_path: Path) -> None:
    graph = import_tflite(write(tmp_path / "net.tflite", wake_word()[0])).graph
    target = Target.of(read_board("stm32f412"), EngineSettings())
    place = plan(graph, target)
    state = [place.activations[name] for name in graph.variables]
    others = [each for name, each in place.activations.items() if name not in graph.variables]
    others += place.scratch.values()
    assert place.arena == state[-1].offset + state[-1].nbytes
    assert max(each.offset + each.nbytes for each in others) <= state[0].offset
    assert sum(each.nbytes for each in state) == 2 * 8 + 4 * 6 + 3 * 8
    assert state[0].offset <= 128, "the tensors of a run share their bytes as ever"


def test_files(tmp_path: Path) -> None:
    graph = import_tflite(write(tmp_path / "net.tflite", sum_of_ring(BEGIN))).graph
    write_graph(graph, tmp_path / "graph")
    again = read_graph(tmp_path / "graph")
    assert fingerprint(again) == fingerprint(graph)
    np.testing.assert_array_equal(executor.run(again, frames(1, 4)), executor.run(graph, frames(1, 4)))
    ((name, variable),) = graph.variables.items()
    other = replace(graph, variables={name: replace(variable, initial=variable.initial + 1)})
    assert fingerprint(other) != fingerprint(graph)


def test_samples_are_sequences(tmp_path: Path) -> None:
    """Of runs: the reference computes all of them, and the answer is that of the last."""
    write(tmp_path / "net.tflite", wake_word()[0])
    samples = frames(6, 8)
    graph = import_tflite(tmp_path / "net.tflite").graph
    expected = executor.run(graph, samples)
    labels = (expected[:, -1] > 0).astype(np.int64)
    labels[0] = 1 - labels[0]
    np.save(tmp_path / "x.npy", samples.reshape(6, FRAMES, 8))
    np.save(tmp_path / "y.npy", expected)
    np.save(tmp_path / "labels.npy", labels)
    found = accuracy(tmp_path, inputs="x.npy", outputs="y.npy", labels="labels.npy")
    assert found["int8"] == pytest.approx(5 / 6)
    assert found["author"] == {"samples": 6, "differ": 0, "beyond": 0, "largest": 0, "tolerance": 0}
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "int8_outputs.npy"), expected)
    np.save(tmp_path / "y.npy", expected[:, :-1])
    with pytest.raises(BuildError, match="found 4 bytes a sample; the runs of an input give 5"):
        accuracy(tmp_path, inputs="x.npy", outputs="y.npy")
    accuracy(tmp_path)
    assert np.load(tmp_path / "out" / "inputs.npy").shape == (8, 4 * 8)


def unread() -> Stream:
    net = Stream()
    handle = net.writer.tensor((), "resource")
    net.writer.operator("READ_VARIABLE", [handle], [net.like(net.input, (1, 1, 1, 4))])
    return net


def late() -> Stream:
    net = Stream()
    net.ring(net.input, 2)
    with net.writer.another() as number:
        net.handle("ring0")
    net.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
    return net


def computed() -> Stream:
    net = Stream()
    with net.writer.another() as number:
        net.writer.operator("MUL", [], [])
    net.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
    return net


def rescaled() -> Stream:
    net = Stream()
    net.writer.operator("ASSIGN_VARIABLE", [net.handle("v"), net.input], [])
    net.writer.operator("READ_VARIABLE", [net.handle("v")], [net.like(-1, (1, 1, 1, 4))])
    return net


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            unread,
            "operator 0 .READ_VARIABLE. takes tensor 1 'tensor_1' RESOURCE .. for a variable, which no VAR_HANDLE",
        ),
        (late, "operator 6 .CALL_ONCE. comes after variables were read or assigned"),
        (computed, "calls operator 0 .MUL., which is not supported there; variables begin with constants or with zero"),
        (rescaled, "reads as tensor 3 'tensor_3' INT8 .1, 1, 1, 4. what has another type, scale or zero point"),
    ],
)
def test_what_is_refused(tmp_path: Path, make: "type[Stream]", message: str) -> None:
    net = make()
    with pytest.raises(BuildError, match=message) as caught:
        import_tflite(write(tmp_path / "net.tflite", net.writer.finish([net.input], [net.input])))
    assert len(str(caught.value)) <= 300 + len(str(tmp_path))


def test_the_graph_checks_its_variables(tmp_path: Path) -> None:
    graph: Graph = import_tflite(write(tmp_path / "net.tflite", sum_of_ring(BEGIN))).graph
    ((name, variable),) = graph.variables.items()
    for following, message in ((graph.inputs[0], "no operator writes"), (graph.outputs[0], "another type")):
        with pytest.raises(ValueError, match=message):
            replace(graph, variables={name: replace(variable, next=following)})
    with pytest.raises(ValueError, match="inputs are int8"):
        executor.run(graph, frames(1, 3))
