"""Random small quantised networks for tests of everything that computes or schedules a graph.

    from tests.networks import random_inputs, random_network
    graph = random_network(seed)           # or random_network(seed, bits=4)
    inputs = random_inputs(graph, 5)       # int8 (5, H, W, C)

They have what breaks engines: odd and non-square sizes, non-square kernels of 1 to 7, strides of 1 to 3, asymmetric
padding, one channel, residuals that span other residuals, a tensor added to itself, channels without weights, factors
above one, every kind of clamp. Scales are fitted to the values, so that few outputs saturate and errors show.
"""

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.executor import run
from mcubuild.ir.geometry import Padding, Pair, Shape
from mcubuild.ir.graph import INT8, Clamp, Graph, Op, Quantization, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D, Pool
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, Weighted

Floats: TypeAlias = NDArray[np.float64]

INPUT = Quantization((float(np.float32(1 / 255)),), -128)
"""The convention of mcubuild's own networks: int8 = pixel - 128."""

_PROBES = 4
"""Samples that scales are fitted to."""
_SPREAD = 45.0
"""Standard deviation that is aimed at, in steps of an int8 output."""


def random_network(seed: int, bits: int = 8) -> Graph:
    """A network of 2 to about 20 operators on an input of at most 17x17x5; the same seed gives the same network.

    Args:
        seed: of everything.
        bits: of all weights, 8 (-127 ... 127) or 4 (-7 ... 7).
    """
    rng = np.random.default_rng([seed, bits])
    builder = _Builder(rng, bits, _input_shape(rng))
    for _ in range(int(rng.integers(1, 5))):
        _STEPS[rng.choice(len(_STEPS), p=_CHANCES)](builder)
    if rng.random() < 0.6:
        height, width = builder.shape[1:3]
        builder.pool((height, width), (1, 1))
    if rng.random() < 0.3:
        builder.fully_connected(int(rng.integers(1, 30)))
    builder.fully_connected(int(rng.integers(2, 12)))
    return builder.graph()


def packed(graph: Graph, seed: int, chance: float = 1.0) -> Graph:
    """``graph`` with activations of 4 bits between its inputs and outputs, each with this ``chance``.

    Steps are 16 times as large, so that values keep their spread; what pooling reads and writes stays alike.
    """
    rng = np.random.default_rng(seed)
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for op in graph.ops:
        of_bytes = isinstance(op, Pool) and not tensors[op.input].packed
        if op.output in graph.outputs or of_bytes or rng.random() >= chance:
            continue
        tensors[op.output] = _narrow(tensors[op.output])
    for op in graph.ops:
        if isinstance(op, Pool) and tensors[op.input].packed:
            tensors[op.output] = replace(tensors[op.output], bits=4, quantization=tensors[op.input].quantization)
        if isinstance(op, Weighted) and tensors[op.input].packed:
            constants[op.bias] = np.round(constants[op.bias] / 16).astype(np.int32)
    return replace(graph, tensors=tensors, constants=constants)


def _narrow(tensor: Tensor) -> Tensor:
    quantization = tensor.quantization
    assert quantization is not None
    zero = round((quantization.zero_point + 128) / 255 * 15) - 8
    return replace(tensor, bits=4, quantization=Quantization((16 * quantization.scale[0],), zero))


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> NDArray[np.int8]:
    """Inputs (samples, ...) for ``graph``: noise, but the first is all -128 and the second all 127."""
    shape = (samples, *graph.tensor(graph.inputs[0]).shape[1:])
    inputs = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
    inputs[:1] = -128
    inputs[1:2] = 127
    return inputs


def _input_shape(rng: np.random.Generator) -> Shape:
    return (1, *(int(n) for n in rng.integers(5, 18, 2)), int(rng.integers(1, 6)))


@dataclass
class _Builder:
    """Appends operators to the network; scales are fitted to what they compute for the probes."""

    rng: np.random.Generator
    bits: int
    input_shape: Shape
    ops: list[Op] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    last: str = "input"

    def __post_init__(self) -> None:
        self.tensors = {"input": Tensor("input", self.input_shape, quantization=INPUT)}
        self.probes = self.rng.integers(-128, 128, (_PROBES, *self.input_shape[1:]), np.int8)

    @property
    def shape(self) -> Shape:
        """Of the last tensor."""
        return self.tensors[self.last].shape

    def number(self, low: int, high: int) -> int:
        """A random number from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def graph(self) -> Graph:
        return Graph("random", self.tensors, tuple(self.ops), ("input",), (self.last,), constants=self.constants)

    def conv(self, kernel: Pair, channels: int, stride: Pair = (1, 1), padding: Padding = (0, 0, 0, 0)) -> None:
        name = f"t{len(self.ops)}.conv"
        op = Conv2D(self.last, f"{name}.weights", f"{name}.bias", name, stride, padding)
        self._weighted(op, (channels, *kernel, self.shape[3]), 0)

    def depthwise(self, kernel: Pair, stride: Pair = (1, 1), padding: Padding = (0, 0, 0, 0)) -> None:
        name = f"t{len(self.ops)}.depthwise"
        op = DepthwiseConv2D(self.last, f"{name}.weights", f"{name}.bias", name, stride, padding)
        self._weighted(op, (1, *kernel, self.shape[3]), 3)

    def fully_connected(self, outputs: int) -> None:
        name = f"t{len(self.ops)}.fc"
        op = FullyConnected(self.last, f"{name}.weights", f"{name}.bias", name)
        self._weighted(op, (outputs, int(np.prod(self.shape))), 0)

    def add(self, left: str, right: str) -> None:
        if self.rng.random() < 0.5:
            left, right = right, left
        scale = np.hypot(self._quantization(left).scale[0], self._quantization(right).scale[0])
        quantization, clamp = self._activation(float(scale) * self.rng.uniform(0.7, 1.4))
        self._append(Add(left, right, f"t{len(self.ops)}.add", clamp), quantization)

    def pool(self, window: Pair, stride: Pair) -> None:
        op = AveragePool2D(self.last, f"t{len(self.ops)}.pool", window, stride)
        self._append(op, self._quantization(self.last))

    def _quantization(self, name: str) -> Quantization:
        quantization = self.tensors[name].quantization
        assert quantization is not None
        return quantization

    def _activation(self, scale: float) -> tuple[Quantization, Clamp]:
        """Zero point and clamp of: no activation function, ReLU, ReLU6 by saturation, two arbitrary limits."""
        zero = self.number(-30, 30)
        choices: list[tuple[int, Clamp]] = [
            (zero, INT8),
            (zero - 60, (zero - 60, 127)),
            (-128, INT8),
            (zero, (self.number(-100, -60), self.number(40, 100))),
        ]
        zero, clamp = choices[self.number(0, 3)]
        return Quantization((float(np.float32(scale)),), zero), clamp

    def _append(self, op: Op, quantization: Quantization) -> None:
        shape = op.output_shape(self.graph())
        self.tensors[op.output] = Tensor(op.output, shape, quantization=quantization)
        self.ops.append(op)
        self.last = op.output

    def _weighted(self, op: Weighted, shape: Shape, axis: int) -> None:
        """Append ``op``; weights of ``shape`` have their output channels along ``axis``."""
        largest = 1 if self.rng.random() < 0.1 else 2 ** (self.bits - 1) - 1
        weights = self.rng.integers(-largest, largest + 1, shape).astype(np.int8)
        channels = shape[axis]
        if channels > 1 and self.rng.random() < 0.2:
            weights[(slice(None),) * axis + (0,)] = 0
        self.constants[op.weights] = weights
        before = self.last
        # Unbiased with a cautious scale at first; two looks at the outputs' means and spreads then correct it.
        factors, bias = np.full(channels, 30 / (largest * 150 * np.sqrt(weights.size / channels))), np.zeros(channels)
        for _ in range(2):
            self._define(op, factors, bias, axis, scale=1.0)
            self._append(op, Quantization((1.0,)))
            outputs = run(self.graph(), self.probes).reshape(-1, channels).astype(float)
            bias -= outputs.mean(axis=0) / factors
            factors *= np.clip(_SPREAD / np.maximum(outputs.std(axis=0), 0.1), 0.5, 20)
            self.ops.pop()
            self.last = before
        factors *= self.rng.uniform(0.5, 1.2, channels)
        bias += self.rng.normal(0, _SPREAD / 2, channels) / factors
        scale = self._quantization(op.input).scale[0] * self.rng.uniform(0.5, 4)
        quantization, clamp = self._activation(scale)
        self._define(op, factors, bias, axis, quantization.scale[0])
        self._append(op.changed(clamp=clamp), quantization)

    def _define(self, op: Weighted, factors: Floats, bias: Floats, axis: int, scale: float) -> None:
        """Bias and scales that make ``factors`` the ratio of output steps (of ``scale``) to accumulator steps."""
        source = self._quantization(op.input).scale[0]
        scales = (factors * scale / source).astype(np.float32)
        weights = self.constants[op.weights]
        self.constants[op.bias] = np.round(np.clip(bias, -(2.0**24), 2.0**24)).astype(np.int32)
        self.tensors[op.weights] = Tensor(
            op.weights, weights.shape, bits=self.bits, quantization=Quantization(tuple(scales.tolist()), 0, axis)
        )
        self.tensors[op.bias] = Tensor(
            op.bias,
            (len(bias),),
            dtype="int32",
            bits=32,
            quantization=Quantization(tuple((source * scales).tolist()), 0, 0),
        )


def _convolution(net: _Builder) -> None:
    """Any kernel, stride and padding; or pointwise, which engines treat apart."""
    if net.rng.random() < 0.4:
        net.conv((1, 1), net.number(1, 24), (net.number(1, 2), net.number(1, 2)) if net.rng.random() < 0.3 else (1, 1))
    else:
        net.conv(*_window(net, channels=net.number(1, 16)))


def _depthwise(net: _Builder) -> None:
    kernel, _, stride, padding = _window(net, channels=0)
    net.depthwise(kernel, stride, padding)


def _residual(net: _Builder) -> None:
    """An inverted bottleneck; at times with another one inside it, so that two residuals are live at once."""
    entry, channels = net.last, net.shape[3]
    net.conv((1, 1), channels * net.number(1, 4))
    kernel = net.number(1, 3) * 2 + 1
    net.depthwise((kernel, kernel), (1, 1), (kernel // 2,) * 4)
    if net.rng.random() < 0.3:
        inner = net.last
        net.conv((1, 1), net.shape[3])
        net.add(inner, net.last)
    net.conv((1, 1), channels)
    net.add(entry, net.last)


def _double(net: _Builder) -> None:
    """A tensor added to itself, and to its own sum."""
    entry = net.last
    net.add(entry, entry)
    if net.rng.random() < 0.5:
        net.add(net.last, entry)


def _pool(net: _Builder) -> None:
    height, width = net.shape[1:3]
    window = (net.number(1, min(3, height)), net.number(1, min(3, width)))
    net.pool(window, (net.number(1, 2), net.number(1, 2)))


def _window(net: _Builder, channels: int) -> tuple[Pair, int, Pair, Padding]:
    """Kernel, channels, stride and padding that fit the last tensor; padding is less than the kernel on each side."""
    height, width = net.shape[1:3]
    kernel = (net.number(1, 7), net.number(1, 7))
    sides: list[int] = []
    for size, length in zip((height, width), kernel, strict=True):
        low, high = net.number(0, length - 1), net.number(0, length - 1)
        short = max(0, length - (size + low + high))
        sides += [low + (short + 1) // 2, high + short // 2]
    stride = (net.number(1, 3), net.number(1, 3)) if net.rng.random() < 0.5 else (1, 1)
    return kernel, channels, stride, (sides[0], sides[1], sides[2], sides[3])


_STEPS = (_convolution, _depthwise, _residual, _double, _pool)
_CHANCES = (0.35, 0.25, 0.25, 0.05, 0.1)
