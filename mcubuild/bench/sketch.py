"""Skeletons of networks, drawn in a few words."""

from dataclasses import replace

from mcubuild.ir.geometry import Pair, Shape, same_padding
from mcubuild.ir.graph import Graph, Op, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D, Pool
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected


class Sketch:
    """Operators appended one by one; every method returns the name of its output."""

    def __init__(self, shape: Shape, bits: int = 8, activations: int = 8) -> None:
        """On an input of 8 bits; weights and what operators write have others."""
        self.tensors = {"input": Tensor("input", shape)}
        self.ops: list[Op] = []
        self.bits, self.activations = bits, activations

    def conv(self, source: str, filters: int, kernel: int | Pair = 1, stride: int = 1) -> str:
        """A convolution whose output is as large as its input, or as large by the stride."""
        _, height, width, channels = self.tensors[source].shape
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = same_padding((height, width), size, (stride, stride))
        weights, bias, output = self.weighted((filters, *size, channels), filters)
        return self.emit(
            Conv2D(source, weights, bias, output, (stride, stride), padding),
            (1, -(-height // stride), -(-width // stride), filters),
        )

    def depthwise(self, source: str, kernel: int = 3, stride: int = 1) -> str:
        """A depthwise convolution, likewise."""
        _, height, width, channels = self.tensors[source].shape
        padding = same_padding((height, width), (kernel, kernel), (stride, stride))
        weights, bias, output = self.weighted((1, kernel, kernel, channels), channels)
        return self.emit(
            DepthwiseConv2D(source, weights, bias, output, (stride, stride), padding),
            (1, -(-height // stride), -(-width // stride), channels),
        )

    def fully_connected(self, source: str, filters: int) -> str:
        """A fully connected layer."""
        weights, bias, output = self.weighted((filters, self.tensors[source].elements), filters)
        return self.emit(FullyConnected(source, weights, bias, output), (1, filters))

    def add(self, left: str, right: str) -> str:
        """A sum of two tensors of one shape."""
        return self.emit(Add(left, right, f"t{len(self.ops)}"), self.tensors[left].shape)

    def pool(self, source: str) -> str:
        """The mean of all pixels."""
        _, height, width, channels = self.tensors[source].shape
        if self.activations == 4:
            return self.emit(Mean(source, f"t{len(self.ops)}", (1, 2)), (1, 1, 1, channels), 8)
        return self.emit(AveragePool2D(source, f"t{len(self.ops)}", (height, width)), (1, 1, 1, channels))

    def windows(self, source: str, op: type[Pool], window: Pair, stride: int, *, padded: bool = True) -> str:
        """Pooling of windows that may reach over the edge, or may not."""
        _, height, width, channels = self.tensors[source].shape
        padding = same_padding((height, width), window, (stride, stride)) if padded else (0, 0, 0, 0)
        rows = (height + padding[0] + padding[1] - window[0]) // stride + 1
        columns = (width + padding[2] + padding[3] - window[1]) // stride + 1
        pool = op(source, f"t{len(self.ops)}", window, (stride, stride), padding=padding)
        return self.emit(pool, (1, rows, columns, channels))

    def bottleneck(self, source: str, hidden: int, filters: int, kernel: int = 3, stride: int = 1) -> str:
        """An inverted bottleneck, residual where the shapes allow."""
        last = self.conv(self.depthwise(self.conv(source, hidden), kernel, stride), filters)
        same = self.tensors[last].shape == self.tensors[source].shape
        return self.add(source, last) if same else last

    @property
    def next(self) -> str:
        """Name of the next output."""
        return f"t{len(self.ops)}"

    def graph(self) -> Graph:
        """The skeleton; its output has 8 bits."""
        last = self.ops[-1].output
        tensors = {**self.tensors, last: replace(self.tensors[last], bits=8)}
        return Graph("sketch", tensors, tuple(self.ops), ("input",), (last,))

    def weighted(self, shape: Shape, filters: int) -> tuple[str, str, str]:
        """Names of new weights of this shape and of their bias, and of the next output."""
        output = f"t{len(self.ops)}"
        weights, bias = f"{output}.weights", f"{output}.bias"
        self.tensors[weights] = Tensor(weights, shape, bits=self.bits)
        self.tensors[bias] = Tensor(bias, (filters,), dtype="int32", bits=32)
        return weights, bias, output

    def emit(self, op: Op, shape: Shape, bits: int | None = None) -> str:
        """Any operator; its output must be called as ``weighted`` does, or ``next``."""
        self.tensors[op.output] = Tensor(op.output, shape, bits=bits or self.activations)
        self.ops.append(op)
        return op.output
