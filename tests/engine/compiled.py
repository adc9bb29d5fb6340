"""A network's generated C as a library of this machine."""

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import Plan, plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import host_library

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]


def write_c(graph: Graph, folder: Path, settings: EngineSettings | None = None) -> Plan:
    settings = settings or EngineSettings()
    target = Target.of(read_board("stm32f412"), settings)
    result = plan(graph, target)
    generate(graph, result, target, folder, stack=2048)
    return result


class Compiled:
    """A graph as a library of this machine."""

    def __init__(self, graph: Graph, folder: Path, toolchain: str = "zig", settings: EngineSettings | None = None):
        self.plan = write_c(graph, folder, settings)
        self.graph = graph
        library = host_library(folder, folder, WARNINGS, "gcc" if toolchain == "gcc" else "zig")
        self._run = ctypes.CDLL(str(library)).model_run

    def arena_after(self, sample: NDArray[np.int8], seed: int = 0) -> NDArray[np.int8]:
        """The arena after one inference; before, it holds random bytes, and there are guards around it."""
        memory = np.random.default_rng(seed).integers(-128, 128, self.plan.arena + 128, np.int8)
        before = memory.copy()
        arena = memory[64:-64]
        source = self.plan.activations[self.graph.inputs[0]]
        arena[source.offset : source.offset + source.nbytes] = sample.ravel()
        self._run(arena.ctypes.data_as(ctypes.c_void_p))
        assert (memory[:64] == before[:64]).all()
        assert (memory[-64:] == before[-64:]).all()
        return arena

    def run(self, inputs: NDArray[np.int8], seed: int = 0) -> NDArray[np.int8]:
        """Outputs (N, ...) of inputs (N, ...)."""
        target = self.plan.activations[self.graph.outputs[0]]
        outputs = [
            self.arena_after(sample, seed + index)[target.offset : target.offset + target.nbytes]
            for index, sample in enumerate(inputs)
        ]
        return np.array(outputs).reshape(len(inputs), *self.graph.tensor(self.graph.outputs[0]).shape[1:])
