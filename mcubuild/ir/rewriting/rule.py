"""A rule of rewriting: a pattern, a condition, and what takes the place of what was found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Clamp, Dtype, Graph, Op, Quantization, Tensor
from mcubuild.ir.rewriting.facts import Facts

Kind: TypeAlias = type[Any] | UnionType
"""One kind of operator, or several."""
BOTH: frozenset[Dtype] = frozenset({"int8", "int16"})
"""Types of activations, for rules that compute nothing."""


@dataclass(frozen=True)
class Match:
    """Operators that a pattern was found in, each of which reads what the one before it writes."""

    facts: Facts
    ops: tuple[Op, ...]

    @property
    def graph(self) -> Graph:
        """The whole graph."""
        return self.facts.graph

    @property
    def last(self) -> Op:
        """The operator that is replaced."""
        return self.ops[-1]

    def alone(self, position: int) -> bool:
        """Whether nothing but the operator behind it reads what the operator at ``position`` writes."""
        return self.facts.reads[self.ops[position].output] == 1

    def range(self, name: str) -> Clamp:
        """Smallest and largest value that a tensor may hold, both inclusive."""
        return self.facts.range(name)

    def shape(self, name: str) -> Shape:
        """Of a tensor."""
        return self.graph.tensor(name).shape

    def quantization(self, name: str) -> Quantization:
        """Of a tensor."""
        quantization = self.graph.tensor(name).quantization
        assert quantization is not None
        return quantization

    def values(self, name: str) -> NDArray[Any]:
        """Of a constant."""
        return self.graph.constants[name]


@dataclass(frozen=True)
class Replacement:
    """What stands for the last operator of a match; those before it go where nothing else reads them."""

    ops: tuple[Op, ...] = ()
    """The last one writes what the replaced operator wrote."""
    tensors: tuple[Tensor, ...] = ()
    """New or changed ones."""
    constants: Mapping[str, NDArray[np.int8] | NDArray[np.int32]] = field(default_factory=dict)
    same: str | None = None
    """Where there are no operators: the tensor that what was written is equal to."""


@dataclass(frozen=True)
class Rule:
    """One rewriting; exact, as every output of the network keeps each of its bits."""

    name: str
    """What it does, in a few words."""
    pattern: tuple[Kind, ...]
    """Kinds of operators; each but the first reads what the one before it writes, and no other activation."""
    applies: Callable[[Match], bool]
    """The condition under which it is exact, and of use."""
    rewrite: Callable[[Match], Replacement]
    types: frozenset[Dtype] = frozenset({"int8"})
    """Of activations; sums and tables of 16 bits are others."""
