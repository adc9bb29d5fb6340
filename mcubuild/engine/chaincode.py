"""The C of a chain: which layer is called when, and where each call finds its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcubuild.engine.flow import row_bytes
from mcubuild.engine.layer import Layer
from mcubuild.engine.planner import ChainPlan, Plan
from mcubuild.engine.streaming import Call, Stage, first_rows, schedule
from mcubuild.ir.graph import Graph, op_inputs


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


class ChainCode:
    """What the templates need to know of one chain; tensors are numbered as in ``streaming``."""

    def __init__(self, graph: Graph, plan: Plan, chain: ChainPlan) -> None:
        self._graph, self._plan, self._chain = graph, plan, chain
        self._layers = [Layer(graph, index) for index in chain.steps]
        self._names = [chain.first, *(layer.op.output for layer in self._layers)]
        self._stages = [
            Stage(layer.vertical, tuple(self._names.index(name) for name in op_inputs(layer.op)))
            for layer in self._layers
        ]
        self._schedule = schedule(self._stages, graph.tensor(chain.first).shape[1], chain.rows)

    @property
    def order(self) -> Order:
        """The calls."""
        return folded(self._schedule.calls)

    def tensors(self) -> list[dict[str, object]]:
        """Where each tensor's buffer lies, its first row there, and how many rows there are from the start."""
        return [
            {
                "name": name,
                "offset": self._plan.written(name).offset if number else self._plan.activations[name].offset,
                "first": 0 if name in (self._chain.first, self._chain.last) else first,
                "end": 0 if number else self._graph.tensor(name).shape[1],
            }
            for number, (name, first) in enumerate(zip(self._names, first_rows(self._stages), strict=True))
        ]

    def call(self, index: int) -> dict[str, object]:
        """How a call of layer ``index`` finds its rows."""
        layer = Layer(self._graph, index)
        number = index - self._chain.steps.start
        stage, tensor = self._stages[number], number + 1
        place = self._plan.written(layer.op.output)
        shared = self._chain.shared.get(layer.op.output)
        capacity = place.nbytes // row_bytes(layer.output)
        assert shared is not None or capacity >= self._schedule.capacities[tensor], "planned row buffers suffice"
        return {
            "tensor": tensor,
            "bytes": row_bytes(layer.output),
            "capacity": capacity,
            "window": stage.window,
            "height": layer.input_rows,
            "sources": [
                {"tensor": source, "bytes": row_bytes(self._graph.tensor(self._names[source]))}
                for source in stage.sources
            ],
            "shared": shared is not None,
            "readers": [
                {"tensor": other + 1, "stride": reader.window.stride, "padding": reader.window.padding}
                for other, reader in enumerate(self._stages)
                if tensor in reader.sources
            ],
        }
