"""Normalisation by what a run's own activations are like: layer, group, instance and root mean square norm."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, requantize
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Graph, Levels, Op
from mcubuild.ir.transcendental import inverse_root

MOST = (1 << 16) - 1
"""Elements of a set, whose squares still sum up to 32 bits."""
_MOST_EPSILON = 1 << 60
"""That leaves room for squared deviations below 2**48 in 63 bits."""


def fraction(count: int) -> int:
    """Fractional bits of normalised elements of sets of ``count``, none of which is beyond sqrt(count): 15 in all."""
    return 15 - ((count - 1).bit_length() + 1) // 2


@dataclass(frozen=True)
class NormalizeParameters:
    """Of Normalize, for each set of ``count`` elements x = input + input_offset.

    total = sum(x) if it is centred, else 0; spread = count * sum(x * x) - total**2 + epsilon
    t = (count * x - total) / sqrt(spread) with ``fraction`` fractional bits
    output = saturate(requantize(t * weight + bias, factor) + output_offset)

    The root is that of ``inverse_root``, of ``spread`` without so many pairs of its lowest bits that it is below 2**30.
    """

    input_offset: int
    output_offset: int
    count: int
    epsilon: int
    fraction: int
    factor: FixedPoint


@dataclass(frozen=True)
class Normalize(Op):
    """Sets of elements less their mean and divided by their deviation, times weight, plus bias -> output int8.

    The input counts as (outer, pixels, groups, channels): a set is what has one place on the first and the third axis.
    Layer norm has one pixel and one group, group norm all pixels of an image.

    Constants: weight int16 with one scale, bias int32, both (1, groups * channels), or (1, pixels * groups * channels).
    """

    input: str
    weight: str
    bias: str
    output: str
    pixels: int
    groups: int
    channels: int
    epsilon: float
    """What is added to the squared deviation, in the input's unit."""
    centred: bool = True
    """Whether the mean is subtracted; else the divisor is the root of the mean square."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The input and the constants."""
        return self.input, self.weight, self.bias

    def output_shape(self, graph: Graph) -> Shape:
        """That of the input."""
        tensor, row = graph.tensor(self.input), self.groups * self.channels
        sizes = {graph.tensor(name).shape for name in (self.weight, self.bias)}
        whole = self.pixels * row > 0 and tensor.elements % (self.pixels * row) == 0
        if not whole or len(sizes) != 1 or not sizes <= {(1, row), (1, self.pixels * row)}:
            raise ValueError(f"Normalize of {self.input!r} {tensor.shape}: shapes do not go together")
        return tensor.shape

    def parameters(self, graph: Graph) -> NormalizeParameters:
        """Offsets, epsilon in squared levels, and the factor of what is normalised and weighted."""
        (x, x_zero), (weight, _), (y, y_zero) = (graph.scale(name) for name in (self.input, self.weight, self.output))
        count = self.pixels * self.channels
        if count > MOST:
            raise ValueError(f"Normalize of {self.input!r}: has {count} elements a set; at most {MOST}")
        epsilon = round(self.epsilon * count * count / (x * x))
        factor = FixedPoint.of(weight / (y * (1 << fraction(count))))
        if not 0 <= epsilon < _MOST_EPSILON or factor.shift > 0:
            raise ValueError(f"Normalize: the scale {y} of {self.output!r} does not go with its weights' {weight}")
        return NormalizeParameters(-x_zero, y_zero, count, epsilon, fraction(count), factor)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """A factor a set."""
        x, weight, bias = operands
        derived = self.parameters(graph)
        sets = x.reshape(-1, self.pixels, self.groups, self.channels).astype(np.int64) + derived.input_offset
        total = sets.sum(axis=(1, 3), keepdims=True) if self.centred else np.zeros((1, 1, 1, 1), np.int64)
        spread = derived.count * (sets * sets).sum(axis=(1, 3), keepdims=True) - total * total + derived.epsilon
        roots = [_inverse_root(int(each)) for each in spread.ravel()]
        multiplier, shift = (np.array(each, np.int64).reshape(spread.shape) for each in zip(*roots, strict=True))
        normal = requantize(derived.count * sets - total, multiplier, shift + derived.fraction)
        weight, bias = (each.astype(np.int64).reshape(1, -1, self.groups, self.channels) for each in (weight, bias))
        levels = derived.factor.times(normal * weight + bias) + derived.output_offset
        return np.asarray(np.clip(levels, *graph.tensor(self.output).limits)).reshape(x.shape)


def _inverse_root(x: int) -> tuple[int, int]:
    """``inverse_root`` of numbers of up to 63 bits."""
    pairs = max(0, x.bit_length() - 29) // 2
    multiplier, shift = inverse_root(x >> 2 * pairs)
    return multiplier, shift - pairs


OPERATORS = (Normalize,)
