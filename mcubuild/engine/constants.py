"""The constants of a layer as the C reads them: offsets folded into the bias, weights arranged and packed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer
from mcubuild.errors import BuildError
from mcubuild.ir.graph import DepthwiseConv2D, TransposeConv2D
from mcubuild.ir.parameters import parameters


@dataclass(frozen=True)
class Constants:
    """What a ``struct filters_...`` of the generated C holds; one element an output channel, but for ``weights``."""

    bias: NDArray[np.int32]
    """Bias minus input zero point times the sum of the channel's weights: the C multiplies activations as they are.

    Of a transposed convolution it is the bias alone.
    """
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    """Bits to shift right after the multiplication."""
    weights: NDArray[np.int8]
    """As the kernel arranged them."""
    plain: bool
    """Whether every shift goes right and twice every possible sum fits int32: the short form of rescaling is exact."""


def constants(layer: Layer, kernel: Kernel) -> Constants:
    """The constants of a layer with weights.

    Raises:
        BuildError: weights do not fit their bits, or a sum could leave int32.
    """
    op = layer.weighted
    derived = parameters(layer.graph, op)
    weights = layer.graph.constants[op.weights].astype(np.int64)
    largest = 2 ** (layer.weights.bits - 1) - 1
    if np.abs(weights).max(initial=0) > largest:
        raise BuildError(
            f"layer {layer.index} ({kernel.kind}): {op.weights!r} holds {int(np.abs(weights).max())}; weights of "
            f"{layer.weights.bits} bits lie in -{largest} ... {largest}; quantise them symmetrically."
        )
    filters = (
        weights.reshape(-1, layer.filters).T if isinstance(op, DepthwiseConv2D) else weights.reshape(len(weights), -1)
    )
    bias = layer.graph.constants[op.bias].astype(np.int64)
    low, high = -128, 127
    if isinstance(op, TransposeConv2D):  # not every output takes part in every product
        low, high = low + derived.input_offset, high + derived.input_offset
    else:
        bias += derived.input_offset * filters.sum(axis=1)
    # Every sum on the way lies between these two: each term can only lower the one and raise the other.
    lowest = bias + np.minimum(low * filters, high * filters).sum(axis=1)
    highest = bias + np.maximum(low * filters, high * filters).sum(axis=1)
    if lowest.min() < -(2**31) or highest.max() >= 2**31:
        raise BuildError(
            f"layer {layer.index} ({kernel.kind}): sums reach {int(lowest.min())} ... {int(highest.max())}, which does "
            f"not fit 32 bits; check the scales of {op.weights!r} and {op.bias!r}."
        )
    # A channel with factor 0 gives 0 for every shift.
    shift = np.array([-factor.shift if factor.multiplier else 1 for factor in derived.factors], np.int8)
    return Constants(
        bias=bias.astype(np.int32),
        multiplier=np.array([factor.multiplier for factor in derived.factors], np.int32),
        shift=shift,
        weights=kernel.arrange(layer, weights.astype(np.int8)),
        plain=bool(shift.min() >= 1 and lowest.min() >= -(2**30) and highest.max() < 2**30),
    )
