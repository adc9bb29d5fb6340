"""How many bits the numbers of a graph have."""

from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.weighted import Weighted


def weight_bits(graph: Graph) -> dict[str, int]:
    """Bits of the weights by the operator's output."""
    return {op.output: graph.tensor(op.weights).bits for op in graph.ops if isinstance(op, Weighted)}


def arithmetic(graph: Graph) -> str:
    """``int8``, or bits of weights and activations where they are others: ``w4a8``, ``w8/4a8`` (mixed), ``w8a16``.

    Those of activations are the fewest that any has, or 16.
    """
    weights = sorted({*weight_bits(graph).values()}, reverse=True)
    wide = any(tensor.dtype == "int16" for tensor in graph.activations())
    activations = 16 if wide else min(tensor.bits for tensor in graph.activations())
    if weights in ([], [8]) and activations == 8:
        return "int8"
    return f"w{'/'.join(map(str, weights))}a{activations}" if weights else f"int{activations}"
