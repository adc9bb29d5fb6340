"""Rewriting: other operators that give the same bits, in less time or memory.

Networks from elsewhere are written for other engines: with padding as an operator of its own, convolutions of one
channel as depthwise ones, matrix products as convolutions. Each rule (``rule.Rule``) is data, a pattern with a
condition and what to put in its place; modules hold one family of rules each.
"""

from mcubuild.ir.graph import Graph
from mcubuild.ir.rewriting import constants, convolution, functions, movement, padding, pooling
from mcubuild.ir.rewriting.rewriter import rewritten
from mcubuild.ir.rewriting.rule import Rule

RULES: tuple[Rule, ...] = (*movement.RULES, *padding.RULES)
"""For activations of any type;"""
RULES_INT8: tuple[Rule, ...] = (
    *constants.RULES,
    *RULES,
    *functions.RULES,
    *convolution.RULES,
    *pooling.RULES,
)
"""where none has 16 bits, whose sums and tables are others."""


def simplified(graph: Graph) -> Graph:
    """The graph as the engine runs it best, with the same outputs bit for bit.

    Args:
        graph: a quantised graph with values.
    """
    wide = any(tensor.dtype == "int16" for tensor in graph.activations())
    return rewritten(graph, RULES if wide else RULES_INT8)
