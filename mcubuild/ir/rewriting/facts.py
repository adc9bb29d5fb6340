"""What holds of a graph without running it: who writes and reads each tensor, and between which values it stays."""

from collections import Counter
from functools import cached_property

from mcubuild.ir.graph import Clamp, Graph, Op
from mcubuild.ir.ops.base import Clamping
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Movement, Pad


class Facts:
    """Of one graph, each worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._ranges: dict[str, Clamp] = {}

    @cached_property
    def writers(self) -> dict[str, Op]:
        """The operator that writes each activation but the inputs."""
        return {op.output: op for op in self.graph.ops}

    @cached_property
    def reads(self) -> Counter[str]:
        """How often tensors are read, by operators and as results of the network."""
        return Counter([*self.graph.results, *(name for op in self.graph.ops for name in op.operands)])

    def range(self, name: str) -> Clamp:
        """Smallest and largest value that the activation or constant ``name`` may hold, both inclusive."""
        pending = [name]
        while pending:
            op = self.writers.get(pending[-1])
            sources = op.operands if isinstance(op, Lookup | Movement) else ()
            unknown = [source for source in sources if source not in self._ranges]
            if unknown:
                pending += unknown
            else:
                self._ranges[pending[-1]] = self._worked_out(pending[-1], op, [self._ranges[each] for each in sources])
                pending.pop()
        return self._ranges[name]

    def _worked_out(self, name: str, op: Op | None, sources: list[Clamp]) -> Clamp:
        constants = self.graph.constants
        if name in constants:
            return int(constants[name].min()), int(constants[name].max())
        if isinstance(op, Clamping):
            return op.clamp
        if isinstance(op, Lookup) and self.graph.tensor(op.input).dtype == "int8":
            ((low, high),) = sources
            table = constants[op.table][low + 128 : high + 129]
            return int(table.min()), int(table.max())
        if isinstance(op, Movement):
            ends = [*sources, (op.value, op.value)] if isinstance(op, Pad) else sources
            return min(low for low, _ in ends), max(high for _, high in ends)
        return self.graph.tensor(name).limits
