"""The skeleton of a network: operators and shapes without values, for the planner, the estimates and quantisation.

Every operator is named by its output tensor, and the float network of ``mcubuild.nas.training.network`` has a
submodule of that name which computes the same value. Weights and bias are called <operator>.weights and
<operator>.bias.
"""

from collections.abc import Mapping
from math import prod
from typing import TypeAlias

from mcubuild.ir.geometry import Pair, Shape, same_padding
from mcubuild.ir.graph import Graph, Op, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected
from mcubuild.nas.space.blocks import Basic, Block, Bottleneck, Cells, Described, Head, MaxPool, Mix, Separable, Stem

INPUT = "input"
LayerBits: TypeAlias = int | Mapping[str, int]
"""Bits of the weights: of every layer, or by its operator's name."""


def skeleton(arch: Described, bits: LayerBits, activations: int = 8, ends: int | None = None) -> Graph:
    """The whole network with weights of ``bits`` bits and activations of ``activations`` bits.

    ``ends``: bits of the weights of the first and the last layer, where they are others.
    Input, output and the mean of all pixels have 8 bits in any case.

    Input (1, H, W, C), "input"; output (1, classes) "classifier".
    """
    return row_skeleton(arch.name, arch.blocks(), bits, activations, ends)


def block_skeleton(
    block: Block, bits: LayerBits, activations: int = 8, ends: int | None = None, *, first: bool = True
) -> Graph:
    """One block as a network of its own; ``first``: whether it reads the network's input."""
    return row_skeleton("block", {"block": block}, bits, activations, ends, first=first)


def row_skeleton(
    name: str,
    parts: dict[str, Block],
    bits: LayerBits,
    activations: int = 8,
    ends: int | None = None,
    *,
    first: bool = True,
) -> Graph:
    """A network of these blocks, by name, each of which fits the one before; ``first`` as of ``block_skeleton``."""
    begin = next(iter(parts.values()))
    source = Tensor(INPUT, (1, begin.size.height, begin.size.width, begin.inputs), bits=8 if first else activations)
    builder = _Builder(source, bits, activations, ends, first=first, series=begin.series)
    for prefix, block in parts.items():
        builder.append(prefix, block)
    return Graph(name, builder.tensors, tuple(builder.ops), (INPUT,), (builder.last,))


class _Builder:
    """Appends operators to a chain; ``last`` is the tensor at its end."""

    def __init__(
        self, source: Tensor, bits: LayerBits, activations: int, ends: int | None, *, first: bool, series: bool
    ) -> None:
        self.tensors = {INPUT: source}
        self.ops: list[Op] = []
        self.last = INPUT
        self._bits, self._activations, self._series = bits, activations, series
        self._ends, self._first = ends, first

    def append(self, name: str, block: Block) -> None:
        if isinstance(block, Stem):
            self._conv(name, block.outputs, block.kernel, block.stride)
        elif isinstance(block, Bottleneck):
            entry = self.last
            if block.expands:
                self._conv(f"{name}.expand", block.hidden)
            self._depthwise(f"{name}.depthwise", block.kernel, block.stride)
            self._conv(f"{name}.project", block.outputs)
            if block.residual:
                self._emit(Add(entry, self.last, f"{name}.add"), self._shape)
        elif isinstance(block, Separable):
            self._depthwise(f"{name}.depthwise", 3, block.stride)
            self._conv(f"{name}.pointwise", block.outputs)
        elif isinstance(block, Basic):
            self._basic(name, block)
        elif isinstance(block, MaxPool):
            self._max_pool(name, block.kernel)
        elif isinstance(block, Mix):
            self._conv(name, block.outputs)
        elif isinstance(block, Cells):
            self._conv("classifier", block.outputs, bits=8)
        else:
            if isinstance(block, Head):
                self._mean(block)
            shape = (block.classes, prod(self._shape))
            weights, bias = self._constants("classifier", shape, block.classes)
            self._emit(FullyConnected(self.last, weights, bias, "classifier"), (1, block.classes), 8)

    def _mean(self, block: Head) -> None:
        """Of all pixels: of activations of 4 bits, it has a finer scale than they have."""
        pool: Op = AveragePool2D(self.last, "pool", (block.size.height, block.size.width))
        if self.tensors[self.last].packed:
            pool = Mean(self.last, "pool", (1, 2))
        self._emit(pool, (1, 1, 1, block.inputs), 8)

    def _basic(self, name: str, block: Basic) -> None:
        entry = self.last
        self._conv(f"{name}.first", block.hidden, 3, block.stride)
        self._conv(f"{name}.second", block.outputs, 3)
        shortcut, second = entry, self.last
        if block.projects:
            self.last = entry
            self._conv(f"{name}.shortcut", block.outputs, 1, block.stride)
            shortcut = self.last
        self._emit(Add(shortcut, second, f"{name}.add"), self._shape)

    def _max_pool(self, name: str, kernel: int) -> None:
        _, height, width, channels = self._shape
        window, strides = self._pair(kernel), self._pair(2)
        op = MaxPool2D(self.last, name, window, strides, padding=same_padding((height, width), window, strides))
        self._emit(op, (1, -(-height // 2), -(-width // 2), channels), self.tensors[self.last].bits)

    def _pair(self, size: int) -> Pair:
        """Of a kernel or a step: the same in both directions, but 1 across in series."""
        return (size, 1 if self._series else size)

    @property
    def _shape(self) -> Shape:
        return self.tensors[self.last].shape

    def _conv(self, name: str, outputs: int, kernel: int = 1, stride: int = 1, bits: int | None = None) -> None:
        _, height, width, inputs = self._shape
        window, strides = self._pair(kernel), self._pair(stride)
        weights, bias = self._constants(name, (outputs, *window, inputs), outputs)
        op = Conv2D(self.last, weights, bias, name, strides, same_padding((height, width), window, strides))
        self._emit(op, (1, -(-height // stride), -(-width // stride), outputs), bits)

    def _depthwise(self, name: str, kernel: int, stride: int) -> None:
        _, height, width, channels = self._shape
        window, strides = self._pair(kernel), self._pair(stride)
        weights, bias = self._constants(name, (1, *window, channels), channels)
        op = DepthwiseConv2D(self.last, weights, bias, name, strides, same_padding((height, width), window, strides))
        self._emit(op, (1, -(-height // stride), -(-width // stride), channels))

    def _constants(self, name: str, shape: Shape, outputs: int) -> tuple[str, str]:
        weights, bias = f"{name}.weights", f"{name}.bias"
        width = self._bits if isinstance(self._bits, int) else self._bits[name]
        if self._ends is not None and (name == "classifier" or (self._first and not self.ops)):
            width = self._ends
        self.tensors[weights] = Tensor(weights, shape, bits=width)
        self.tensors[bias] = Tensor(bias, (outputs,), dtype="int32", bits=32)
        return weights, bias

    def _emit(self, op: Op, shape: Shape, bits: int | None = None) -> None:
        """Append ``op``; its output has the bits of activations where no others are asked for."""
        self.tensors[op.output] = Tensor(op.output, shape, bits=bits or self._activations)
        self.ops.append(op)
        self.last = op.output
