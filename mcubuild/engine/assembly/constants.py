"""The constants of a layer: what its channels compute with, and how a kernel lays that out in Flash."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.layer import Layer
from mcubuild.errors import BuildError
from mcubuild.ir.arithmetic import reduced, requantize
from mcubuild.ir.ops.weighted import DepthwiseConv2D, TransposeConv2D


@dataclass(frozen=True)
class Channels:
    """What the output channels compute with; one element a channel."""

    bias: NDArray[np.int64]
    """Bias minus input zero point times the sum of the channel's weights: activations are multiplied as they are.

    Of a transposed convolution it is the bias alone. It fits int32, unless the channels are ``wide``.
    """
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    """Bits to shift right after the multiplication."""
    weights: NDArray[np.int8]
    """One element an int8, in the graph's shape and order."""
    reach: NDArray[np.int64]
    """The largest magnitude that a sum can have, also on the way: of all inputs."""
    zero_point: int
    """Of the output."""
    wide: bool
    """Whether sums are rescaled by ``requantize_wide``, from ``bias`` of 64 bits; ``multiplier`` has 15 bits then."""

    @property
    def short(self) -> bool:
        """Whether 32 bits are enough for every sum."""
        return bool(self.reach.max() < 2**31)

    @property
    def plain(self) -> bool:
        """Whether every shift goes right and twice every sum fits int32: the short form of rescaling is exact."""
        return bool(self.shift.min() >= 1 and self.reach.max() < 2**30)


@dataclass(frozen=True)
class Field:
    """An array in a struct of constants."""

    ctype: Literal["int8_t", "int32_t"]
    name: str
    values: NDArray[np.int8] | NDArray[np.int32]


@dataclass(frozen=True)
class Constants:
    """A C struct with the constants of a layer; structs of equal names have equal fields."""

    struct: str
    fields: tuple[Field, ...]
    others: tuple[tuple[Field, ...], ...] = ()
    """Fields of further structs, one after the other, of a layer that is computed in groups of channels."""


def channels(layer: Layer) -> Channels:
    """What the channels of a layer with weights compute with.

    A channel that gives one value for every input has no weights here, and a bias that gives this value.

    Raises:
        BuildError: weights do not fit their bits, or a sum could leave int32.
    """
    if Channels not in layer.known:
        layer.known[Channels] = _channels(layer)
    found: Channels = layer.known[Channels]
    return found


def _channels(layer: Layer) -> Channels:
    op = layer.weighted
    derived = op.parameters(layer.graph)
    values, offset = layer.graph.constants[op.weights], derived.weight_offset
    weights = values.astype(np.int64)
    where = f"layer {layer.index} ({type(op).__name__})"
    largest = 2 ** (layer.weights.bits - 1) - 1
    if np.abs(weights).max(initial=0) > largest + (offset != 0):
        raise BuildError(
            f"{where}: {op.weights!r} holds {int(np.abs(weights).max())}; weights of "
            f"{layer.weights.bits} bits lie in -{largest} ... {largest}; quantise them symmetrically."
        )
    weights += offset
    filters = (
        weights.reshape(-1, layer.filters).T if isinstance(op, DepthwiseConv2D) else weights.reshape(len(weights), -1)
    )
    bias = layer.graph.constants[op.bias].astype(np.int64)
    inputs = layer.input.limits
    if isinstance(op, TransposeConv2D):  # not every output takes part in every product
        inputs = (inputs[0] + derived.input_offset, inputs[1] + derived.input_offset)
    else:
        bias += derived.input_offset * filters.sum(axis=1)
    # Every sum on the way lies between these two: each term can only lower the one and raise the other.
    lowest = bias + np.minimum(inputs[0] * filters, inputs[1] * filters).sum(axis=1)
    highest = bias + np.maximum(inputs[0] * filters, inputs[1] * filters).sum(axis=1)
    bits = 48 if derived.wide else 32
    if lowest.min() < -(2 ** (bits - 1)) or highest.max() >= 2 ** (bits - 1):
        raise BuildError(
            f"{where}: sums reach {int(lowest.min())} ... {int(highest.max())}, which does "
            f"not fit {bits} bits; check the scales of {op.weights!r} and {op.bias!r}."
        )
    multiplier = np.array([factor.multiplier for factor in derived.factors], np.int64)
    shift = np.array([-factor.shift for factor in derived.factors], np.int64)
    if derived.wide:
        return Channels(
            bias=bias,
            multiplier=reduced(multiplier).astype(np.int32),
            shift=(shift + 15).astype(np.int8),
            weights=values.astype(np.int8),
            reach=np.maximum(-lowest, highest),
            zero_point=derived.output_offset,
            wide=True,
        )
    ends = np.stack([requantize(sums, multiplier, -shift) + derived.output_offset for sums in (lowest, highest)])
    low, high = np.clip(ends, *derived.clamp)
    # Training leaves dead channels, whose factors and biases are often extreme: those that give one value for every
    # input get it from small numbers, so that they do not keep fast kernels from the whole layer.
    same = (low == high) & (shift >= 0)
    values = np.moveaxis(np.where(same, -offset, np.moveaxis(values, op.channel_axis, -1)), -1, op.channel_axis)
    bias = np.where(same, (low - derived.output_offset) * 4, bias)
    multiplier, shift = np.where(same, 2**30, multiplier), np.where(same, 1, shift)
    return Channels(
        bias=bias,
        multiplier=multiplier.astype(np.int32),
        shift=shift.astype(np.int8),
        weights=values.astype(np.int8),
        reach=np.where(same, np.abs(bias), np.maximum(-lowest, highest)),
        zero_point=derived.output_offset,
        wide=False,
    )
