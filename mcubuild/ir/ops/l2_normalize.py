"""Normalisation by the root of the sum of squares."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import requantize
from mcubuild.ir.graph import INT8, Graph, Levels
from mcubuild.ir.ops.base import Unary
from mcubuild.ir.transcendental import inverse_root


@dataclass(frozen=True)
class L2Parameters:
    """Of L2Normalize."""

    input_offset: int
    """Minus the input's zero point."""


class L2Normalize(Unary):
    """Input divided by the root of its sum of squares over the last axis -> output, scale 1/128, zero point 0."""

    def parameters(self, graph: Graph) -> L2Parameters:
        """The offset."""
        _, zero = graph.scale(self.input)
        if graph.scale(self.output) != (1 / 128, 0):
            raise ValueError(f"L2Normalize: {self.output!r} must have scale 1/128 and zero point 0")
        if graph.tensor(self.input).shape[-1] >= 1 << 15:
            raise ValueError(f"L2Normalize of {self.input!r}: sums of squares would leave 32 bits")
        return L2Parameters(-zero)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """A factor a row."""
        (x,) = operands
        centred = x.astype(np.int64) + self.parameters(graph).input_offset
        factors = np.array([inverse_root(int(total)) for total in (centred * centred).sum(axis=-1).ravel()], np.int64)
        multiplier, shift = (factors[:, k].reshape(*x.shape[:-1], 1) for k in (0, 1))
        return np.asarray(np.clip(requantize(centred, multiplier, shift + 7), *INT8))


OPERATORS = (L2Normalize,)
