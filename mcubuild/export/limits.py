"""What networks from elsewhere have that files of other formats do not say with the same bits."""

from dataclasses import replace

from mcubuild.ir.graph import Graph, Op
from mcubuild.ir.ops.elementwise import Mul
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Weighted


def untold(graph: Graph, op: Op) -> str | None:
    """Why ``op`` cannot be told, as the end of a sentence about it; None if nothing is in the way."""
    nexts = {variable.next for variable in graph.variables.values()}
    if nexts & {op.output} or graph.variables.keys() & set(op.operands):
        return "computes with what is kept from run to run"
    if isinstance(op, AveragePool2D) and op.origin:
        return "rounds averages as networks of uint8 do"
    if isinstance(op, Weighted) and graph.quantization(op.weights).zero_point:
        return "has weights with a zero point"
    if isinstance(op, Weighted | Mul) and op.parameters(graph) != replace(op, single=False).parameters(graph):
        return "multiplies scales in single precision, as networks of uint8 do"
    return None
