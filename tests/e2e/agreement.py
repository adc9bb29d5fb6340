"""Outputs of a network's C on this machine."""

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.memory.planner import Plan
from mcubuild.ir.graph import Graph
from mcubuild.toolchain.compile import host_library

Int8 = NDArray[np.int8]


def on_host(graph: Graph, place: Plan, folder: Path, inputs: Int8) -> Int8:
    """Outputs (N, bytes) of the C, compiled for this machine; of several runs one behind the other."""
    library = ctypes.CDLL(str(host_library(folder, folder)))
    sources, targets = ([place.activations[name] for name in names] for names in (graph.inputs, graph.outputs))
    arena = np.zeros(place.arena, np.int8)
    pointer = arena.ctypes.data_as(ctypes.c_void_p)
    outputs = []
    for sample in inputs:
        data, answers = sample.ravel(), []
        if graph.variables:
            library.model_reset(pointer)
        while len(data):
            for source in sources:
                arena[source.offset : source.offset + source.nbytes] = data[: source.nbytes]
                data = data[source.nbytes :]
            library.model_run(pointer)
            answers += [arena[x.offset : x.offset + x.nbytes].copy() for x in targets]
        outputs.append(np.concatenate(answers))
    return np.array(outputs)
