"""Chains of all lengths, whose generated C must equal the executor."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.pieces import Piece, pieces
from mcubuild.engine.memory.planner import Plan, plan
from mcubuild.engine.memory.segments import Segment, chained, choose_segments, whole
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import host_library
from tests.networks import random_inputs

ON = Target("cortex-m4", True, EngineSettings())
OFF = Target("cortex-m4", True, EngineSettings(inplace_depthwise=False, inplace_add=False))
FED = Target("cortex-m4", True, EngineSettings(input="stream"))


def random_segments(cut: Sequence[Piece], rng: np.random.Generator, *, fed: bool = False) -> list[Segment]:
    """Some way to run the pieces: long and short chains, with steps of all sizes."""
    result: list[Segment] = []
    while (start := result[-1].stop if result else 0) < len(cut):
        most = start
        while most < len(cut) and cut[most].flow is not None:
            most += 1
        pulled = fed and start == 0
        if most == start or (rng.random() < 0.2 and not pulled):
            result.append(whole(cut, start))
        else:
            stop = int(rng.integers(start + 1, most + 1)) if rng.random() < 0.7 else most
            result.append(chained(cut, start, stop, int(rng.choice((1, 1, 2, 3, 4, 7, 50))), fed=pulled))
    return result


def on_host(graph: Graph, result: Plan, folder: Path, target: Target, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Outputs of the generated C in an arena of random bytes."""
    folder.mkdir()
    generate(graph, result, target, folder, stack=2048)
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    call = ctypes.CDLL(str(host_library(folder, folder, warnings))).model_run
    source, sink = result.activations[graph.inputs[0]], result.activations[graph.outputs[0]]
    outputs = []
    for number, sample in enumerate(inputs):
        memory = np.random.default_rng(number).integers(-128, 128, result.arena + 128, np.int8)
        before = memory.copy()
        arena = memory[64:-64]
        if target.fed:
            camera = Camera(sample)
            call(arena.ctypes.data_as(ctypes.c_void_p), camera.read, ctypes.c_void_p(4711))
            assert 0 < camera.asked <= len(sample)
        else:
            arena[source.offset : source.offset + source.nbytes] = sample.ravel()
            call(arena.ctypes.data_as(ctypes.c_void_p))
        assert (memory[:64] == before[:64]).all() and (memory[-64:] == before[-64:]).all()
        outputs.append(arena[sink.offset : sink.offset + sink.nbytes].copy())
    return np.array(outputs)


class Camera:
    """Rows of a sample as the generated C asks for them: each once, from the top down."""

    def __init__(self, sample: NDArray[np.int8]) -> None:
        self.asked = 0

        def read(context: int, rows: int, first: int, count: int) -> None:
            assert (context, first) == (4711, self.asked) and count > 0
            wanted = np.ascontiguousarray(sample[first : first + count])
            ctypes.memmove(rows, wanted.ctypes.data, wanted.nbytes)
            self.asked += count

        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
        self.read = kind(read)


def check_bits(graph: Graph, folder: Path, seed: int) -> None:
    targets = {"array": OFF if seed % 5 == 4 else ON, "stream": FED}
    if pieces(graph, FED)[0].flow is None:
        del targets["stream"]
    for name, target in targets.items():
        (folder / name).mkdir(exist_ok=True)
        check_target(graph, folder / name, seed, target)


def check_target(graph: Graph, folder: Path, seed: int, target: Target) -> None:
    cut, rng = pieces(graph, target), np.random.default_rng(seed)
    inputs = random_inputs(graph, 3)
    expected = run(graph, inputs).reshape(len(inputs), -1)
    for number, segments in enumerate(
        [random_segments(cut, rng, fed=target.fed), choose_segments(cut, 0, fed=target.fed)]
    ):
        result = plan(graph, target, segments)
        outputs = on_host(graph, result, folder / f"{graph.name}{number}", target, inputs)
        np.testing.assert_array_equal(outputs, expected)
