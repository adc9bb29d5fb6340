"""Functions of single elements: those that only clamp, and tables of tables."""

import numpy as np

from mcubuild.ir.graph import Clamp, Tensor
from mcubuild.ir.ops.base import Clamping
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule


def _clamp(match: Match) -> Clamp | None:
    """The clamp that the last operator's table is for all values that it can see, if it is one."""
    op = match.last
    assert isinstance(op, Lookup)
    if match.quantization(op.input) != match.quantization(op.output):
        return None
    low, high = match.range(op.input)
    table = match.values(op.table)[low + 128 : high + 129].astype(int)
    clamp = int(table.min()), int(table.max())
    return clamp if (table == np.clip(np.arange(low, high + 1), *clamp)).all() else None


def _clamps(match: Match) -> bool:
    return match.alone(0) and _clamp(match) is not None


def _fused(match: Match) -> Replacement:
    op, clamp = match.ops[0], _clamp(match)
    assert isinstance(op, Clamping)
    assert clamp is not None
    return Replacement((op.changed(clamp=clamp, output=match.last.output),))


def _changes_nothing(match: Match) -> bool:
    op = match.last
    assert isinstance(op, Lookup)
    return _clamp(match) == match.range(op.input)


def _left_out(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Lookup)
    return Replacement(same=op.input)


def _always(match: Match) -> bool:
    return True


def _composed(match: Match) -> Replacement:
    first, second = match.ops
    assert isinstance(first, Lookup)
    assert isinstance(second, Lookup)
    name = f"{second.output}.tables"
    table = match.values(second.table)[match.values(first.table).astype(int) + 128]
    return Replacement((Lookup(first.input, name, second.output),), (Tensor(name, (256,)),), {name: table})


RULES = (
    Rule("function that changes nothing", (Lookup,), _changes_nothing, _left_out),
    Rule("clamp behind what can clamp", (Clamping, Lookup), _clamps, _fused),
    Rule("function of a function", (Lookup, Lookup), _always, _composed),
)
