"""What is known of an activation's values without running the network."""

from typing import TypeAlias

from mcubuild.ir.graph import Add, Clamp, Graph, Lookup, Movement, Mul, Pad, Pool, Sub, Weighted, op_inputs

Clamping: TypeAlias = Weighted | Add | Sub | Mul | Pool
"""Operators with a fused activation."""


def reach(graph: Graph, name: str) -> Clamp:
    """Smallest and largest value that the tensor ``name`` may hold, both inclusive."""
    if name in graph.constants:
        values = graph.constants[name]
        return int(values.min()), int(values.max())
    op = next((op for op in graph.ops if op.output == name), None)
    if isinstance(op, Clamping):
        return op.clamp
    if isinstance(op, Lookup) and graph.tensor(op.input).dtype == "int8":
        low, high = reach(graph, op.input)
        table = graph.constants[op.table][low + 128 : high + 129]
        return int(table.min()), int(table.max())
    if isinstance(op, Movement):
        ends = [reach(graph, source) for source in op_inputs(op)]
        if isinstance(op, Pad):
            ends.append((op.value, op.value))
        return min(low for low, _ in ends), max(high for _, high in ends)
    return graph.tensor(name).limits
