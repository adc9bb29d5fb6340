"""Operators with weights and a bias: convolutions and fully connected layers.

Sums of products are taken by floating-point BLAS, which is exact as long as no partial sum leaves the 24 bits of
float32's or the 53 of float64's significand.
"""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, requantize, requantize_wide
from mcubuild.ir.geometry import Padding, Pair, Rows, Shape, dilated, height, window_shape, windows
from mcubuild.ir.graph import INT8, Clamp, Graph, Levels
from mcubuild.ir.ops.base import Clamping

_Integers: TypeAlias = NDArray[np.signedinteger[Any]]
_Floats: TypeAlias = NDArray[np.floating[Any]]

MOST_ENLARGED_SUM: Final = 7
"""Bits by which a sum of 64 bits can be shifted left."""


@dataclass(frozen=True)
class WeightedParameters:
    """Of operators with weights.

    output = clamp(requantize(bias + sum((input + input_offset) * (weight + weight_offset)), factors[channel])
                   + output_offset)
    """

    input_offset: int
    """Minus the input's zero point."""
    output_offset: int
    """The output's zero point."""
    factors: tuple[FixedPoint, ...]
    """One an output channel, also where the weights have one scale for all."""
    clamp: Clamp
    weight_offset: int
    """Minus the weights' zero point, which is 0 but for weights that were uint8."""
    wide: bool
    """Whether sums have 64 bits and are rescaled by ``requantize_wide``: those whose bias is int64."""


@dataclass(frozen=True)
class Weighted(Clamping):
    """Operators with weights and a bias, (N,) int32 or int64."""

    input: str
    weights: str
    bias: str
    output: str
    single: bool = field(default=False, kw_only=True)
    """Whether the scales of input and weights are multiplied in float32: LiteRT's convolutions of uint8
    (``GetQuantizedConvolutionMultipler``). All others multiply them in double precision."""
    channel_axis: ClassVar[int] = 0
    """Of the weights: that of the output channels."""

    @property
    def operands(self) -> tuple[str, ...]:
        """The input."""
        return (self.input,)

    @property
    def constants(self) -> tuple[str, ...]:
        """Weights and bias."""
        return self.weights, self.bias

    def parameters(self, graph: Graph) -> WeightedParameters:
        """Offsets, a factor a channel, clamp."""
        input_scale, input_zero = graph.scale(self.input)
        output_scale, output_zero = graph.scale(self.output)
        channels = graph.tensor(self.bias).elements
        weights = graph.quantization(self.weights)
        if len(weights.scale) not in (1, channels):
            raise ValueError(f"weights {self.weights!r} have {len(weights.scale)} scales, must have 1 or {channels}")
        if weights.zero_point and (len(weights.scale) > 1 or isinstance(self, TransposeConv2D)):
            raise ValueError(f"weights {self.weights!r} have zero point {weights.zero_point}, must be symmetric (0)")
        precision = np.float32 if self.single else np.float64
        products = (float(precision(input_scale) * precision(scale)) for scale in weights.scale)
        factors = tuple(FixedPoint.of(product / output_scale) for product in products)
        if len(factors) == 1:
            factors *= channels
        wide = graph.tensor(self.bias).dtype == "int64"
        if wide and max(factor.shift for factor in factors) > MOST_ENLARGED_SUM:
            raise ValueError(
                f"the scale {output_scale} of {self.output!r} is too small for the products of its operands"
            )
        return WeightedParameters(-input_zero, output_zero, factors, self.within(graph), -weights.zero_point, wide)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Sums of products and the bias, requantised.

        Raises:
            ValueError: the graph has no values, or no parameters can be derived.
        """
        (x,), derived = operands, self.parameters(graph)
        if self.weights not in graph.constants or self.bias not in graph.constants:
            raise ValueError(
                f"the graph holds no values for {self.weights!r} and {self.bias!r}; a skeleton cannot be run"
            )
        weights, bias = graph.constants[self.weights], graph.constants[self.bias]
        weights = weights.astype(np.int16) + np.int16(derived.weight_offset)
        exact = self._exact_float(weights, 255 if x.dtype == np.int8 else 32768)
        centred: _Floats = (x.astype(np.int32) + np.int32(derived.input_offset)).astype(exact)
        return _finish(self._sums(graph, centred, weights.astype(exact)), bias, derived)

    def _exact_float(self, weights: _Integers, reach: int) -> type[np.float32] | type[np.float64]:
        """The smallest float whose significand holds every partial sum of (input - zero point) * weight, exactly.

        Args:
            weights: all of them.
            reach: largest magnitude of input - zero point.
        """
        filters = np.moveaxis(np.abs(weights.astype(np.int64)), self.channel_axis, 0)
        largest = int(filters.reshape(len(filters), -1).sum(axis=1).max()) * reach
        return np.float32 if largest < 1 << 24 else np.float64

    @abstractmethod
    def _sums(self, graph: Graph, centred: _Floats, weights: _Floats) -> _Floats:
        """Sums of products in the shape of the output, (N, ..., channels), of the input without its zero point."""

    def _channels(self, graph: Graph) -> tuple[Shape, Shape]:
        """Shapes of input and weights.

        Raises:
            ValueError: they do not have the same channels.
        """
        shape, weights = graph.tensor(self.input).shape, graph.tensor(self.weights).shape
        if weights[3] % shape[3] if self.channel_axis == 3 else weights[3] != shape[3]:
            raise ValueError(f"{type(self).__name__} of {self.input!r} {shape} with weights {weights}: channels differ")
        return shape, weights


@dataclass(frozen=True)
class _Windowed(Weighted):
    """Convolutions whose every output is made of a window."""

    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8
    dilation: Pair = (1, 1)

    def output_shape(self, graph: Graph) -> Shape:
        """As many pixels as there are windows."""
        shape, weights = self._channels(graph)
        kernel = dilated((weights[1], weights[2]), self.dilation)
        return (1, *window_shape(shape, kernel, self.stride, self.padding), weights[self.channel_axis])

    def rows(self, graph: Graph) -> Rows:
        """Windows of the kernel's height."""
        rows = graph.tensor(self.output).shape[1]
        return Rows(rows, graph.tensor(self.weights).shape[1], self.stride[0], self.padding[0])

    def inner(self) -> Self:
        """Without padding above and below."""
        return replace(self, padding=(0, 0, *self.padding[2:]))

    def _padded(self, centred: _Floats) -> _Floats:
        """With the input's zero point, with which the graph pads: 0 once the offset is added."""
        top, bottom, left, right = self.padding
        return np.pad(centred, ((0, 0), (top, bottom), (left, right), (0, 0)))


@dataclass(frozen=True)
class Conv2D(_Windowed):
    """Convolution.

    input (1, H, W, C), weights (N, KH, KW, C), bias (N,) int32 -> output (1, OH, OW, N).
    """

    def macs(self, graph: Graph) -> int:
        """Every output is made of a window of all channels."""
        return graph.tensor(self.output).elements * prod(graph.tensor(self.weights).shape[1:])

    def patch_elements(self, graph: Graph) -> int:
        """All windows."""
        weights = graph.tensor(self.weights)
        return graph.tensor(self.output).elements // weights.shape[0] * prod(weights.shape[1:])

    def _sums(self, graph: Graph, centred: _Floats, weights: _Floats) -> _Floats:
        kernel = weights.shape[1], weights.shape[2]
        patches = windows(self._padded(centred), kernel, self.stride, self.dilation)  # (N, OH, OW, C, KH, KW)
        rows = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weights[0].size)
        return (rows @ weights.reshape(len(weights), -1).T).reshape(*patches.shape[:3], len(weights))


@dataclass(frozen=True)
class DepthwiseConv2D(_Windowed):
    """Depthwise convolution with M filters a channel; output channel n belongs to input channel n // M.

    input (1, H, W, C), weights (1, KH, KW, C * M), bias (C * M,) int32 -> output (1, OH, OW, C * M).
    """

    channel_axis: ClassVar[int] = 3

    def macs(self, graph: Graph) -> int:
        """Every output is made of a window of one channel."""
        return graph.tensor(self.output).elements * prod(graph.tensor(self.weights).shape[1:3])

    def _sums(self, graph: Graph, centred: _Floats, weights: _Floats) -> _Floats:
        filters, padded = weights[0], self._padded(centred)
        multiplier = filters.shape[2] // padded.shape[3]
        if multiplier > 1:
            padded = np.repeat(padded, multiplier, axis=3)
        patches = windows(padded, (filters.shape[0], filters.shape[1]), self.stride, self.dilation)
        sums = np.zeros(patches.shape[:4], padded.dtype)
        for row, column in np.ndindex(filters.shape[:2]):
            sums += patches[..., row, column] * filters[row, column]
        return sums


@dataclass(frozen=True)
class TransposeConv2D(Weighted):
    """Transposed convolution: every pixel adds its value times the filters to a window of the output.

    input (1, H, W, C), weights (N, KH, KW, C), bias (N,) int32 -> output (1, *size, N). The window of pixel (y, x)
    begins at (y * stride - top, x * stride - left); what lies outside the output is dropped.
    """

    size: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    clamp: Clamp = INT8

    def output_shape(self, graph: Graph) -> Shape:
        """As large as asked for."""
        _, weights = self._channels(graph)
        return (1, *self.size, weights[0])

    def macs(self, graph: Graph) -> int:
        """Every input is multiplied by all filters."""
        weights = graph.tensor(self.weights)
        return graph.tensor(self.input).elements // weights.shape[3] * weights.elements

    def rows(self, graph: Graph) -> Rows:
        """It does not stream."""
        return Rows(self.size[0], graph.tensor(self.weights).shape[1], self.stride[0], self.padding[0])

    def _sums(self, graph: Graph, centred: _Floats, weights: _Floats) -> _Floats:
        (count, height, width, _), (filters, rows, columns, _) = centred.shape, weights.shape
        (top, _, left, _), (down, across) = self.padding, self.stride
        # All windows, also what of them lies outside the output.
        area = (
            max((height - 1) * down + rows, top + self.size[0]),
            max((width - 1) * across + columns, left + self.size[1]),
        )
        sums = np.zeros((count, *area, filters), centred.dtype)
        to_bottom, to_right = (height - 1) * down + 1, (width - 1) * across + 1
        for row, column in np.ndindex(rows, columns):
            part = sums[:, row : row + to_bottom : down, column : column + to_right : across]
            part += centred @ weights[:, row, column].T
        return sums[:, top : top + self.size[0], left : left + self.size[1]]


@dataclass(frozen=True)
class FullyConnected(Weighted):
    """Matrix product of R rows: input (1, ...) of R * C elements, weights (N, C), bias (N,) int32 -> output (1, N).

    The output of several rows is (1, R, N).
    """

    clamp: Clamp = INT8

    def output_shape(self, graph: Graph) -> Shape:
        """A vector a row."""
        shape, weights = graph.tensor(self.input).shape, graph.tensor(self.weights).shape
        rows, rest = divmod(prod(shape), weights[1])
        if rest or not rows:
            raise ValueError(
                f"FullyConnected of {self.input!r} {shape} with weights {weights}: must have rows of {weights[1]}"
            )
        return (1, weights[0]) if rows == 1 else (1, rows, weights[0])

    def macs(self, graph: Graph) -> int:
        """Every output is made of a row."""
        return graph.tensor(self.output).elements * graph.tensor(self.weights).shape[1]

    def rows(self, graph: Graph) -> Rows:
        """All of the input at once."""
        return Rows(1, size=height(graph.tensor(self.input).shape))

    def _sums(self, graph: Graph, centred: _Floats, weights: _Floats) -> _Floats:
        shape = graph.tensor(self.output).shape[1:]
        return (centred.reshape(-1, weights.shape[1]) @ weights.T).reshape(len(centred), *shape)


def _finish(sums: _Floats, bias: _Integers, derived: WeightedParameters) -> NDArray[np.int64]:
    """Bias, requantisation, output offset and clamp of sums (..., channels)."""
    multipliers = np.array([factor.multiplier for factor in derived.factors], np.int64)
    shifts = np.array([factor.shift for factor in derived.factors], np.int64)
    scaled = (requantize_wide if derived.wide else requantize)(sums.astype(np.int64) + bias, multipliers, shifts)
    return np.asarray(np.clip(scaled + derived.output_offset, *derived.clamp), np.int64)


OPERATORS = (Conv2D, DepthwiseConv2D, TransposeConv2D, FullyConnected)
