"""Another scale or another type."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint
from mcubuild.ir.graph import BYTES, INT16, Clamp, Graph, Levels
from mcubuild.ir.ops.base import Unary


@dataclass(frozen=True)
class RescaleParameters:
    """Of Rescale: clamp(requantize(input + input_offset, factor) + output_offset), with ``below`` for negative ones."""

    input_offset: int
    output_offset: int
    factor: FixedPoint
    below: FixedPoint
    clamp: Clamp


@dataclass(frozen=True)
class Rescale(Unary):
    """Single elements at another scale or of another type; those below zero are multiplied by ``slope`` first.

    input -> output of the input's shape. Of int8 alone ``Lookup`` does the same, and more.
    """

    slope: float = 1.0
    clamp: Clamp = INT16

    def parameters(self, graph: Graph) -> RescaleParameters:
        """Offsets, a factor for either sign, clamp."""
        source, target = graph.scale(self.input), graph.scale(self.output)
        factor, below = (FixedPoint.of(source[0] * slope / target[0]) for slope in (1.0, self.slope))
        bits = 8 * BYTES[graph.tensor(self.input).dtype]
        if max(factor.shift, below.shift) > 30 - bits:
            raise ValueError(
                f"Rescale: the scale {target[0]} of {self.output!r} is too small for its input's {source[0]}"
            )
        return RescaleParameters(-source[1], target[1], factor, below, self.clamp)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Each element by its sign."""
        derived = self.parameters(graph)
        centred = operands[0].astype(np.int64) + derived.input_offset
        levels = np.where(centred >= 0, derived.factor.times(centred), derived.below.times(centred))
        return np.asarray(np.clip(levels + derived.output_offset, *derived.clamp))


OPERATORS = (Rescale,)
