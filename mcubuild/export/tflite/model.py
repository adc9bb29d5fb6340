"""A network in TensorFlow Lite's terms while it is made from a graph: tensors by number, operators with options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Graph, Quantization
from mcubuild.ir.ops.weighted import Weighted

Options: TypeAlias = Mapping[str, int | float | bool]
"""By the names of the bindings; what is left out has the schema's default."""


@dataclass(frozen=True)
class Variable:
    """A tensor of the file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """The schema's name, such as ``INT8``."""
    quantization: Quantization | None = None
    values: NDArray[Any] | None = None
    """Of a constant; INT4 as one int8 each."""


@dataclass(frozen=True)
class Step:
    """An operator of the file."""

    kind: str
    """The schema's name, such as ``CONV_2D``."""
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str
    """Of the options; empty where the operator has none."""
    options: Options


@dataclass
class Model:
    """A network under construction."""

    graph: Graph
    variables: list[Variable] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The file's number of the graph's tensor ``name``, a constant or an activation."""
        if name not in self._numbers:
            self._numbers[name] = self.add(variable_of(self.graph, name))
        return self._numbers[name]

    def stand(self, name: str, number: int) -> None:
        """Let the file's tensor ``number`` stand for the graph's ``name``."""
        self._numbers[name] = number

    def add(self, variable: Variable) -> int:
        """A tensor that the graph does not have; its number."""
        self.variables.append(variable)
        return len(self.variables) - 1

    def integers(self, name: str, *numbers: int, shape: tuple[int, ...] = (-1,)) -> int:
        """A constant of integers: axes, sizes, paddings."""
        values = np.array(numbers, np.int32).reshape(shape)
        return self.add(Variable(name, values.shape, "INT32", None, values))

    def like(self, name: str, suffix: str, shape: tuple[int, ...] | None = None) -> int:
        """A tensor of the type and quantisation of the graph's ``name``, for a step on the way to it."""
        tensor = self.graph.tensor(name)
        kind = tensor.dtype.upper()
        return self.add(Variable(f"{name}.{suffix}", shape or tensor.shape, kind, tensor.quantization))


def variable_of(graph: Graph, name: str) -> Variable:
    """The graph's tensor ``name`` as the file has it; weights of 4 bits have a type of their own."""
    tensor, values = graph.tensor(name), graph.constants.get(name)
    weights = any(isinstance(op, Weighted) and op.weights == name for op in graph.ops)
    dtype = "INT4" if tensor.bits == 4 and weights else tensor.dtype.upper()
    quantization = None if tensor.dtype == "int32" and values is None else tensor.quantization  # of indices
    return Variable(tensor.name, tensor.shape, dtype, quantization, values)
