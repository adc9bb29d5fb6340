"""What is known of an activation's values without running the network."""

from mcubuild.ir.graph import (
    INT8,
    AveragePool2D,
    Clamp,
    Elementwise,
    Graph,
    Lookup,
    MaxPool2D,
    Movement,
    Pad,
    Weighted,
    op_inputs,
)


def reach(graph: Graph, name: str) -> Clamp:
    """Smallest and largest value that the tensor ``name`` may hold, both inclusive."""
    if name in graph.constants:
        values = graph.constants[name]
        return int(values.min()), int(values.max())
    op = next((op for op in graph.ops if op.output == name), None)
    if isinstance(op, Weighted | Elementwise | AveragePool2D | MaxPool2D):
        return op.clamp
    if isinstance(op, Lookup):
        low, high = reach(graph, op.input)
        table = graph.constants[op.table][low + 128 : high + 129]
        return int(table.min()), int(table.max())
    if isinstance(op, Movement):
        ends = [reach(graph, source) for source in op_inputs(op)]
        if isinstance(op, Pad):
            ends.append((op.value, op.value))
        return min(low for low, _ in ends), max(high for _, high in ends)
    return INT8
