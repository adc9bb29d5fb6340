"""Rewriting: other operators that give the same bits, in less time or memory.

Networks from elsewhere are written for other engines: with padding as an operator of its own, convolutions of one
channel as depthwise ones, matrix products as convolutions. Each rule (``rule.Rule``) is data, a pattern with a
condition and what to put in its place; modules hold one family of rules each.
"""

from mcubuild.ir.graph import Graph
from mcubuild.ir.rewriting import constants, convolution, functions, movement, padding, pooling
from mcubuild.ir.rewriting.rewriter import rewritten
from mcubuild.ir.rewriting.rule import Rule

RULES: tuple[Rule, ...] = (
    *constants.RULES,
    *movement.RULES,
    *padding.RULES,
    *functions.RULES,
    *convolution.RULES,
    *pooling.RULES,
)


def simplified(graph: Graph) -> Graph:
    """The graph as the engine runs it best, with the same outputs bit for bit.

    Args:
        graph: a quantised graph with values.
    """
    return rewritten(graph, RULES)
