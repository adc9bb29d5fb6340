"""Any function of single elements."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Graph, Levels, Op


@dataclass(frozen=True)
class Lookup(Op):
    """Any function of single elements: table[input + 128], table (256,) int8 -> output of the input's shape."""

    input: str
    table: str
    output: str

    @property
    def operands(self) -> tuple[str, ...]:
        """The input."""
        return (self.input,)

    @property
    def constants(self) -> tuple[str, ...]:
        """The table."""
        return (self.table,)

    def output_shape(self, graph: Graph) -> Shape:
        """That of the input."""
        return graph.tensor(self.input).shape

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """An entry an element."""
        return graph.constants[self.table][operands[0].astype(np.int16) + 128]


OPERATORS = (Lookup,)
