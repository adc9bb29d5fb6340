"""The C of a chain: which layer is called when, and where each call finds its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.engine.layer import layers
from mcubuild.engine.memory.flow import row_bytes
from mcubuild.engine.memory.planner import ChainPlan, Plan
from mcubuild.engine.memory.streaming import Call, Stage, first_rows, schedule
from mcubuild.ir.geometry import Rows
from mcubuild.ir.graph import Graph


@dataclass(frozen=True)
class Order:
    """Calls, of which those from ``begin`` to ``end`` (exclusive) are made ``times`` times."""

    calls: tuple[Call, ...]
    begin: int
    end: int
    times: int


def folded(calls: Sequence[Call]) -> Order:
    """``calls`` with their longest repetition written once."""
    best = Order(tuple(calls), 0, len(calls), 1)
    for period in range(1, len(calls) // 2 + 1):
        if len(calls) // period * period <= len(calls) - len(best.calls):
            continue
        start = 0
        for index in range(period, len(calls) + 1):
            if index < len(calls) and calls[index] == calls[index - period]:
                continue
            times = (index - start) // period
            saved = (times - 1) * period
            if saved > len(calls) - len(best.calls):
                kept = (*calls[: start + period], *calls[start + times * period :])
                best = Order(kept, start, start + period, times)
            start = index - period + 1
    return best


@dataclass(frozen=True)
class Buffer:
    """A tensor of a chain as it begins."""

    name: str
    offset: int
    """Of its row ``first`` in the arena."""
    first: int
    end: int
    """Rows that are there already."""


@dataclass(frozen=True)
class Source:
    """A tensor that a layer reads."""

    tensor: int
    bytes: int
    """Of a row."""


@dataclass(frozen=True)
class Reader:
    """A layer that reads a tensor: it still needs rows from ``end`` of what it writes times stride minus padding on."""

    tensor: int
    """What it writes."""
    stride: int
    padding: int


@dataclass(frozen=True)
class Output:
    """Where rows of a tensor are written."""

    tensor: int
    bytes: int
    """Of a row."""
    capacity: int
    """Rows that its buffer holds."""
    readers: tuple[Reader, ...]


@dataclass(frozen=True)
class LayerCall:
    """How a call of a layer finds its rows."""

    output: Output
    shared: bool
    """Whether the rows lie in the buffer of what the layer reads, where the window begins."""
    window: Rows
    height: int
    """Rows of the input."""
    sources: tuple[Source, ...]


class ChainCode:
    """What the templates need to know of one chain; tensors are numbered as in ``streaming``."""

    def __init__(self, graph: Graph, plan: Plan, chain: ChainPlan) -> None:
        self._graph, self._plan, self._chain = graph, plan, chain
        self._layers = layers(graph)[chain.steps.start : chain.steps.stop]
        self._names = [chain.first, *(layer.op.output for layer in self._layers)]
        self._stages = [
            Stage(layer.vertical, tuple(self._names.index(name) for name in layer.op.operands))
            for layer in self._layers
        ]
        self._schedule = schedule(self._stages, graph.tensor(chain.first).shape[1], chain.rows, fed=chain.fed)

    @property
    def order(self) -> Order:
        """The calls."""
        return folded(self._schedule.calls)

    def tensors(self) -> list[Buffer]:
        """Where each tensor begins."""
        chain, graph = self._chain, self._graph
        result = []
        for name, first in zip(self._names, first_rows(self._stages), strict=True):
            if name == chain.first and not chain.fed:
                result.append(Buffer(name, self._plan.activations[name].offset, 0, graph.tensor(name).shape[1]))
            else:
                result.append(Buffer(name, self._plan.written(name).offset, 0 if name == chain.last else first, 0))
        return result

    def output(self, tensor: int) -> Output:
        """Where rows of a tensor are written."""
        name = self._names[tensor]
        size = row_bytes(self._graph.tensor(name))
        capacity = self._plan.written(name).nbytes // size
        assert name in self._chain.shared or capacity >= self._schedule.capacities[tensor], "row buffers suffice"
        readers = (
            Reader(other + 1, reader.window.stride, reader.window.padding)
            for other, reader in enumerate(self._stages)
            if tensor in reader.sources
        )
        return Output(tensor, size, capacity, tuple(readers))

    def call(self, index: int) -> LayerCall:
        """How a call of layer ``index`` of the network finds its rows."""
        number = index - self._chain.steps.start
        layer = self._layers[number]
        stage = self._stages[number]
        return LayerCall(
            output=self.output(number + 1),
            shared=layer.op.output in self._chain.shared,
            window=stage.window,
            height=layer.input_rows,
            sources=tuple(Source(s, row_bytes(self._graph.tensor(self._names[s]))) for s in stage.sources),
        )
