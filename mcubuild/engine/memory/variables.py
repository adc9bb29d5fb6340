"""What a network keeps from run to run: its place, what it begins with, and when it changes."""

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.layer import align
from mcubuild.ir.graph import Constant, Graph


def updates(graph: Graph) -> dict[str, int]:
    """The layers behind which variables take their next values: nobody needs the one before. By name.

    Without those that an operator changes itself.
    """
    needed = {name: index for index, op in enumerate(graph.ops) for name in (*op.operands, op.output)}
    first = {op.output: index for index, op in enumerate(graph.ops)}
    return {
        name: max(first[variable.next], needed.get(name, 0))
        for name, variable in graph.variables.items()
        if variable.next != name
    }


def kept_bytes(graph: Graph) -> int:
    """Bytes of memory that variables take, each rounded up."""
    return sum(align(graph.tensor(name).nbytes) for name in graph.variables)


def as_bytes(values: Constant) -> NDArray[np.int8]:
    """As they lie in memory, the low byte first."""
    return np.ascontiguousarray(values.ravel()).astype(values.dtype.newbyteorder("<"), copy=False).view(np.int8)


def initial_tables(graph: Graph) -> dict[str, NDArray[np.int8]]:
    """Bytes, aligned, that variables begin with, by name; without those of one byte again and again."""
    values = {name: as_bytes(variable.initial) for name, variable in graph.variables.items()}
    return {name: np.pad(x, (0, align(len(x)) - len(x))) for name, x in values.items() if (x != x[0]).any()}
