"""Operators that compute nothing: those that cancel, join or change nothing."""

from dataclasses import replace

from mcubuild.ir.geometry import Shape
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Concat, Gather, Movement, Reshape, Slice, Transpose
from mcubuild.ir.ops.weighted import FullyConnected
from mcubuild.ir.rewriting.rule import BOTH, Match, Replacement, Rule


def _changes_nothing(match: Match) -> bool:
    op = match.last
    names = op.operands
    if len(names) != 1 or match.graph.tensor(names[0]).quantization != match.graph.tensor(op.output).quantization:
        return False
    same = match.shape(names[0]) == match.shape(op.output)
    if isinstance(op, Transpose):
        return same and _kept_in_order(op.permutation, match.shape(op.input))
    if isinstance(op, Gather):
        return same and op.indices == tuple(range(match.shape(op.input)[op.axis]))
    # A slice of the whole shape may still run backwards.
    return same and not any(step < 0 for step in getattr(op, "stride", ()))


def _left_out(match: Match) -> Replacement:
    return Replacement(same=match.last.operands[0])


def _kept_in_order(permutation: Shape, shape: Shape) -> bool:
    """Whether axes of more than one element stay in their order, and so all elements."""
    long = [axis for axis in permutation if shape[axis] > 1]
    return long == sorted(long)


def _moves_no_element(match: Match) -> bool:
    op = match.last
    assert isinstance(op, Transpose)
    return _kept_in_order(op.permutation, match.shape(op.input))


def _as_reshape(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Transpose)
    return Replacement((Reshape(op.input, op.output, match.shape(op.output)),))


def _always(match: Match) -> bool:
    return True


def _reads_what_was_reshaped(match: Match) -> Replacement:
    before, op = match.ops
    assert isinstance(before, Reshape)
    assert isinstance(op, Reshape | FullyConnected)
    return Replacement((replace(op, input=before.input),))


def _composed(first: Shape, second: Shape) -> Shape:
    """The permutation of two, one after the other."""
    return tuple(first[axis] for axis in second)


def _joined(match: Match) -> Replacement:
    first, second = match.ops
    assert isinstance(first, Transpose)
    assert isinstance(second, Transpose)
    permutation = _composed(first.permutation, second.permutation)
    return Replacement((replace(second, input=first.input, permutation=permutation),))


def _back_again(match: Match) -> bool:
    first, _, last = match.ops
    assert isinstance(first, Transpose)
    assert isinstance(last, Transpose)
    permutation = _composed(first.permutation, last.permutation)
    return permutation == tuple(range(len(permutation)))


def _without_both(match: Match) -> Replacement:
    first, function, last = match.ops
    assert isinstance(first, Transpose)
    assert isinstance(function, Lookup)
    return Replacement((replace(function, input=first.input, output=last.output),))


def _place(match: Match) -> tuple[str, int] | None:
    """The part of a concatenation that the slice behind it lies in, and where that begins."""
    joined, cut = match.ops
    assert isinstance(joined, Concat)
    assert isinstance(cut, Slice)
    axis, start = joined.axis, 0
    ends = cut.begin[axis], cut.begin[axis] + (cut.shape[axis] - 1) * cut.stride[axis]
    for name in joined.inputs:
        size = match.shape(name)[axis]
        if all(start <= end < start + size for end in ends):
            return name, start
        start += size
    return None


def _lies_in_a_part(match: Match) -> bool:
    place = _place(match)
    return place is not None and match.quantization(place[0]) == match.quantization(match.last.output)


def _of_the_part(match: Match) -> Replacement:
    joined, cut = match.ops
    assert isinstance(joined, Concat)
    assert isinstance(cut, Slice)
    place = _place(match)
    assert place is not None
    begin = tuple(first - (place[1] if axis == joined.axis else 0) for axis, first in enumerate(cut.begin))
    return Replacement((replace(cut, input=place[0], begin=begin),))


RULES = (
    Rule("slice of a part of a concatenation", (Concat, Slice), _lies_in_a_part, _of_the_part, BOTH),
    Rule("what changes nothing", (Movement,), _changes_nothing, _left_out, BOTH),
    Rule("transposition of axes of one element", (Transpose,), _moves_no_element, _as_reshape, BOTH),
    Rule("transposition of a transposition", (Transpose, Transpose), _always, _joined, BOTH),
    Rule("function between transpositions", (Transpose, Lookup, Transpose), _back_again, _without_both, BOTH),
    Rule("reshape of a reshape", (Reshape, Reshape | FullyConnected), _always, _reads_what_was_reshaped, BOTH),
)
