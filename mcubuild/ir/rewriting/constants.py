"""What is computed from constants alone is a constant."""

import numpy as np

from mcubuild.ir.executor import execute
from mcubuild.ir.graph import Op
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule


def _all_constant(match: Match) -> bool:
    return match.last.output not in match.graph.results and all(
        name in match.graph.constants for name in match.last.operands
    )


def _computed(match: Match) -> Replacement:
    op = match.last
    known = match.graph.constants.items()
    values = execute(match.graph, op, {name: x.astype(np.int8) for name, x in known if x.dtype == np.int8})
    return Replacement(constants={op.output: np.ascontiguousarray(values)}, same=op.output)


RULES = (Rule("what is computed from constants", (Op,), _all_constant, _computed),)
