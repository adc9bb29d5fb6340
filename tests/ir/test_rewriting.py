"""Every rule of rewriting leaves every output's bits as they were, and does what it is for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcubuild.importers.tflite import converted
from mcubuild.ir.executor import run, sample_shape
from mcubuild.ir.geometry import Pair, Shape
from mcubuild.ir.graph import Graph, Op, Quantization, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Concat, Gather, Pad, Reshape, Slice, Transpose
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected
from mcubuild.ir.rewriting import RULES, simplified
from mcubuild.ir.rewriting.rewriter import rewritten
from mcubuild.ir.rewriting.rule import Rule
from tests.importers.networks import OPERATORS, Network, network_of
from tests.importers.writer import write

SEEDS = st.integers(0, 2**32 - 1)
ROWS = (
    ("pad", "conv"),
    ("pad", "depthwise"),
    ("pad", "pool"),
    ("pad", "pad"),
    ("conv", "function"),
    ("pool", "function"),
    ("binary", "function", "function"),
    ("transpose", "transpose"),
    ("transpose", "function", "transpose"),
    ("reshape", "reshape"),
    ("reshape", "fully_connected"),
    ("mean", "conv"),
    ("pool", "mean"),
)
"""Operators that read each other's results, as rules look for them."""


def in_a_row(kinds: tuple[str, ...]) -> Callable[[Network], None]:
    def build(net: Network) -> None:
        before = list(net.values)
        for kind in kinds:
            known = len(net.values)
            OPERATORS[kind](net)
            net.values = net.values[-1:] if len(net.values) > known else net.values
            before += [value for value in net.values if value not in before]
        net.values = before

    return build


STEPS = {**OPERATORS, **{"+".join(kinds): in_a_row(kinds) for kinds in ROWS}}


def equal(before: Graph, after: Graph, seed: int) -> None:
    inputs = np.random.default_rng(seed).integers(-128, 128, (3, *sample_shape(before)), np.int8)
    assert after.inputs == before.inputs
    np.testing.assert_array_equal(run(after, inputs).reshape(3, -1), run(before, inputs).reshape(3, -1))
    for old, new in zip(before.outputs, after.outputs, strict=True):
        assert before.tensor(old).quantization == after.tensor(new).quantization
        assert before.tensor(old).shape == after.tensor(new).shape


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("examples", [40, pytest.param(5000, marks=pytest.mark.slow)])
def test_outputs_stay(tmp_path: Path, examples: int, dtype: str) -> None:
    """All rules together, and each by itself, on networks that hypothesis makes up."""

    @settings(max_examples=examples, deadline=None)
    @given(SEEDS, st.lists(st.tuples(st.sampled_from(sorted(STEPS)), SEEDS), min_size=1, max_size=8))
    @example(0, [("gather", 34), ("gather", 255)])  # two operators of two steps each read the same tensor
    @example(0, [("gather", 34), ("gather", 126)])
    def holds(seed: int, steps: list[tuple[str, int]]) -> None:
        net = network_of(seed, steps, dtype=dtype, operators=STEPS)
        if not set(net.kinds) - {"RESHAPE"}:
            return
        graph = converted(write(tmp_path / "net.tflite", net.finish())).graph
        equal(graph, simplified(graph), seed)
        for rule in RULES:
            equal(graph, rewritten(graph, (rule,)), seed)

    holds()


class Sketch:
    """Operators one behind the other, with random values."""

    def __init__(self, seed: int, shape: Shape | None = None, channels: int | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        shape = shape or (1, self.number(5, 11), self.number(5, 11), channels or self.number(1, 6))
        self.tensors = {"input": Tensor("input", shape, quantization=self.quantization())}
        self.constants: dict[str, NDArray[Any]] = {}
        self.ops: list[Op] = []
        self.last = "input"

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def quantization(self) -> Quantization:
        return Quantization((float(np.float32(self.rng.uniform(0.01, 0.1))),), self.number(-128, 127))

    @property
    def shape(self) -> Shape:
        return self.tensors[self.last].shape

    @property
    def own(self) -> Quantization:
        quantization = self.tensors[self.last].quantization
        assert quantization is not None
        return quantization

    def add(self, make: Callable[[str, str], Op], quantization: Quantization | None = None) -> "Sketch":
        """Append ``make(input, output)``; the output has the input's scale where none is given."""
        name = f"t{len(self.ops)}"
        op = make(self.last, name)
        self.tensors[name] = Tensor(name, (), quantization=quantization or self.own)
        shape = op.output_shape(Graph("", self.tensors, (), (), ()))
        self.tensors[name] = replace(self.tensors[name], shape=shape)
        self.ops.append(op)
        self.last = name
        return self

    def weighted(
        self,
        kind: type[Conv2D | DepthwiseConv2D | FullyConnected],
        weights: Shape,
        filters: int,
        **fields: Any,
    ) -> "Sketch":
        name, axis = f"w{len(self.ops)}", 3 if kind is DepthwiseConv2D else 0
        scales = self.rng.uniform(0.001, 0.02, filters if self.rng.random() < 0.7 else 1).astype(np.float32)
        self.constants[name] = self.rng.integers(-127, 128, weights, np.int8)
        self.tensors[name] = Tensor(
            name, weights, quantization=Quantization(tuple(scales.tolist()), 0, axis if len(scales) > 1 else None)
        )
        self.constants[f"{name}.bias"] = self.rng.integers(-5000, 5000, filters, np.int32)
        self.tensors[f"{name}.bias"] = Tensor(f"{name}.bias", (filters,), "int32", 32)
        spread = self.own.scale[0] * float(scales.max()) * 60 * np.sqrt(self.constants[name].size / filters)
        clamp = (self.number(-128, -100), self.number(100, 127))
        quantization = Quantization((float(np.float32(min(spread, 1e6))),), self.number(-128, 127))
        return self.add(
            lambda x, y: kind(x, name, f"{name}.bias", y, clamp=clamp, **fields),
            quantization,
        )

    def conv(self, kernel: Pair | None = None, **fields: Any) -> "Sketch":
        kernel, filters = kernel or (self.number(2, 4), self.number(2, 4)), self.number(2, 9)
        return self.weighted(Conv2D, (filters, *kernel, self.shape[3]), filters, **fields)

    def depthwise(self, kernel: Pair | None = None, multiplier: int = 1, **fields: Any) -> "Sketch":
        kernel, filters = kernel or (self.number(2, 4), self.number(2, 4)), self.shape[3] * multiplier
        return self.weighted(DepthwiseConv2D, (1, *kernel, filters), filters, **fields)

    def matrix(self, depth: int) -> "Sketch":
        filters = self.number(1, 9)
        return self.weighted(FullyConnected, (filters, depth), filters)

    def pad(self, *sides: Pair, value: int | None = None) -> "Sketch":
        value = self.own.zero_point if value is None else value
        return self.add(lambda x, y: Pad(x, y, sides, value))

    def frame(self, value: int | None = None) -> "Sketch":
        """Padding of height and width, less than any window."""
        return self.pad((0, 0), (self.number(0, 1), 1), (1, self.number(0, 1)), (0, 0), value=value)

    def function(self, table: NDArray[np.int8], quantization: Quantization | None = None) -> "Sketch":
        name = f"table{len(self.ops)}"
        self.constants[name] = table
        self.tensors[name] = Tensor(name, (256,))
        return self.add(lambda x, y: Lookup(x, name, y), quantization)

    def transpose(self, *order: int) -> "Sketch":
        return self.add(lambda x, y: Transpose(x, y, order))

    def reshape(self, *shape: int) -> "Sketch":
        return self.add(lambda x, y: Reshape(x, y, shape))

    def graph(self) -> Graph:
        return Graph("sketch", self.tensors, tuple(self.ops), ("input",), (self.last,), self.constants)


LEVELS = np.arange(-128, 128).astype(np.int8)


def stride(s: Sketch) -> Pair:
    return s.number(1, 3), s.number(1, 3)


def either(s: Sketch, **fields: Any) -> Sketch:
    return s.conv(**fields) if s.rng.random() < 0.5 else s.depthwise(**fields)


def random_table(s: Sketch) -> NDArray[np.int8]:
    return s.rng.integers(-128, 128, 256, np.int8)


def on_constants(s: Sketch) -> Sketch:
    """A constant, transformed, is added to the input."""
    s.constants["c"] = s.rng.integers(-128, 128, s.shape, np.int8)
    s.tensors["c"] = Tensor("c", s.shape, quantization=s.quantization())
    s.last = "c"
    s.function(random_table(s), s.quantization())
    return s.add(lambda x, y: Add("input", x, y), Quantization((0.2,), 3))


def odd_mean(s: Sketch) -> Sketch:
    """Odd counts have no ties to round differently."""
    s.add(lambda x, y: Slice(x, y, (0, 0, 0, 0), (1, 1, 1, 1), (1, 3, *s.shape[2:])))
    return s.add(lambda x, y: Mean(x, y, (1,)))


def part_of_two(s: Sketch) -> Sketch:
    """The second of two joined tensors, or some of it."""
    axis, first = s.number(1, 3), s.shape
    s.function(random_table(s)).add(lambda x, y: Concat(("input", x), y, axis))
    begin = tuple(first[axis] if k == axis else 0 for k in range(4))
    taken = (1, *(s.number(1, size) for size in first[1:]))
    return s.add(lambda x, y: Slice(x, y, begin, (1, 1, 1, 1), taken))


CASES: dict[str, tuple[Callable[[Sketch], Sketch], tuple[type[Any] | UnionType, ...]]] = {
    "what is computed from constants": (on_constants, (Add,)),
    "what changes nothing": (lambda s: s.pad(*[(0, 0)] * 4).conv(), (Conv2D,)),
    "transposition of axes of one element": (
        lambda s: s.reshape(1, 1, s.tensors["input"].elements, 1).transpose(0, 2, 3, 1),
        (Reshape, Reshape),
    ),
    "transposition of a transposition": (lambda s: s.transpose(0, 3, 1, 2).transpose(0, 3, 2, 1), (Transpose,)),
    "function between transpositions": (
        lambda s: s.transpose(0, 3, 1, 2).function(random_table(s)).transpose(0, 2, 3, 1),
        (Lookup,),
    ),
    "reshape of a reshape": (
        lambda s: s.reshape(1, s.tensors["input"].elements).reshape(1, 1, s.tensors["input"].elements, 1).conv((1, 1)),
        (Reshape, Conv2D),
    ),
    "slice of a part of a concatenation": (part_of_two, (Lookup, Slice)),
    "padding of padding": (lambda s: s.pad((0, 0), (1, 0), (0, 2), (0, 0)).pad((0, 0), (1, 1), (2, 0), (1, 0)), (Pad,)),
    "padding that no window reads": (
        lambda s: s.add(lambda x, y: Slice(x, y, (0,) * 4, (1,) * 4, (1, 4, 4, s.shape[3]))).conv(
            (3, 3), stride=(2, 2), padding=(1, 1, 1, 1)
        ),
        (Slice, Conv2D),
    ),
    "padding with zeros before a convolution": (
        lambda s: either(s.frame(), kernel=(3, 4), stride=stride(s), padding=(1, 0, 0, 1)),
        (Conv2D | DepthwiseConv2D,),
    ),
    "padding with what is never the largest": (
        lambda s: (
            s.function(np.maximum(random_table(s), -100))
            .frame(s.number(-128, -100))
            .add(lambda x, y: MaxPool2D(x, y, (s.number(2, 3), 2), stride(s), (-99, 120)))
        ),
        (Lookup, MaxPool2D),
    ),
    "function that changes nothing": (lambda s: s.function(LEVELS).conv(), (Conv2D,)),
    "clamp behind what can clamp": (
        lambda s: s.conv().function(np.clip(LEVELS, s.number(-110, 0), s.number(0, 110))),
        (Conv2D,),
    ),
    "function of a function": (
        lambda s: s.function(random_table(s), s.quantization()).function(random_table(s), s.quantization()),
        (Lookup,),
    ),
    "gaps between nothing": (
        lambda s: either(s, kernel=(1, s.number(2, 3)), dilation=(3, 2)),
        (Conv2D | DepthwiseConv2D,),
    ),
    "filters that reach outside": (
        lambda s: either(
            s.add(lambda x, y: Slice(x, y, (0,) * 4, (1,) * 4, (1, 2, 4, s.shape[3]))),
            kernel=(3, 3),
            stride=(2, 1),
            padding=(1, 0, 1, 1),
        ),
        (Slice, Conv2D | DepthwiseConv2D),
    ),
    "depthwise with several filters a channel": (
        lambda s: s.depthwise(multiplier=s.number(2, 8), stride=stride(s), padding=(1, 1, 0, 1)),
        (Conv2D,),
    ),
    "depthwise with small gaps": (lambda s: s.depthwise((2, 3), dilation=(2, s.number(1, 2))), (DepthwiseConv2D,)),
    "convolution with one position": (lambda s: s.conv((s.shape[1], s.shape[2])), (FullyConnected, Reshape)),
    "matrix product of many rows": (lambda s: s.matrix(s.shape[3]), (Reshape, Conv2D, Reshape)),
    "mean whose rounding is that of a pooling": (odd_mean, (Slice, AveragePool2D)),
}
"""By the rule's name: where it applies, and the kinds of operators that it leaves."""
CHANNELS = {"depthwise with several filters a channel": 4}
"""The most that a rule takes."""


def test_every_rule_has_a_case() -> None:
    assert sorted(CASES) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule(rule: Rule) -> None:
    build, kinds = CASES[rule.name]
    for seed in range(25):
        sketch = Sketch(seed, channels=1 + seed % CHANNELS.get(rule.name, 6))
        graph = build(sketch).graph()
        after = rewritten(graph, (rule,))
        assert len(after.ops) == len(kinds) and all(map(isinstance, after.ops, kinds)), (seed, after.ops)
        assert after != graph
        equal(graph, after, seed)
        equal(graph, simplified(graph), seed)


@pytest.mark.parametrize("order", ["kept", "reversed"])
def test_a_gathering_of_all_elements_goes_only_where_it_keeps_their_order(order: str) -> None:
    sketch = Sketch(7).conv((1, 1))
    indices = tuple(range(sketch.shape[1]))
    graph = sketch.add(lambda x, y: Gather(x, y, 1, indices if order == "kept" else indices[::-1])).conv((1, 1)).graph()
    after = simplified(graph)
    assert any(isinstance(op, Gather) for op in after.ops) == (order == "reversed")
    equal(graph, after, 7)
