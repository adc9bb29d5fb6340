"""Padding as part of the convolution or pooling behind it, where that pads with the same value."""

from dataclasses import replace

from mcubuild.ir.geometry import Padding, Pair, dilated
from mcubuild.ir.ops.movement import Pad
from mcubuild.ir.ops.pool import MaxPool2D, Pool
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D
from mcubuild.ir.rewriting.rule import BOTH, Match, Replacement, Rule


def _window(match: Match) -> Pair:
    """Height and width of the last operator's windows, gaps included."""
    op = match.last
    if isinstance(op, Pool):
        return op.window
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    shape = match.shape(op.weights)
    return dilated((shape[1], shape[2]), op.dilation)


def _read(match: Match, source: str, padding: Padding) -> Padding:
    """``padding`` around ``source`` without what no window of the last operator reads at the bottom and right."""
    op, window = match.last, _window(match)
    assert isinstance(op, Conv2D | DepthwiseConv2D | Pool)
    size, output = match.shape(source)[1:3], match.shape(op.output)[1:3]
    after = [
        min(end, max((count - 1) * stride + length - before - whole, 0))
        for end, before, count, stride, length, whole in zip(
            padding[1::2], padding[::2], output, op.stride, window, size, strict=True
        )
    ]
    return padding[0], after[0], padding[2], after[1]


def _unread(match: Match) -> bool:
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D | Pool)
    return _read(match, op.input, op.padding) != op.padding


def _trimmed(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Conv2D | DepthwiseConv2D | Pool)
    return Replacement((replace(op, padding=_read(match, op.input, op.padding)),))


def _joint(match: Match) -> Padding:
    """The padding of the last operator if it does what the Pad before it does."""
    pad, op = match.ops
    assert isinstance(pad, Pad)
    assert isinstance(op, Conv2D | DepthwiseConv2D | Pool)
    (top, bottom), (left, right) = pad.padding[1:3]
    return _read(
        match,
        pad.input,
        (op.padding[0] + top, op.padding[1] + bottom, op.padding[2] + left, op.padding[3] + right),
    )


def _frames(match: Match) -> bool:
    """Whether the Pad is around an image, and every window still holds a pixel of that."""
    pad = match.ops[0]
    assert isinstance(pad, Pad)
    if len(pad.padding) != 4 or any(pad.padding[0]) or any(pad.padding[3]):
        return False
    window, padding = _window(match), _joint(match)
    return all(max(padding[2 * axis : 2 * axis + 2]) < window[axis] for axis in (0, 1))


def _pads_with_zero_point(match: Match) -> bool:
    pad = match.ops[0]
    assert isinstance(pad, Pad)
    source, result = match.quantization(pad.input), match.quantization(pad.output)
    return source == result and pad.value == source.zero_point and _frames(match)


def _never_largest(match: Match) -> bool:
    pad = match.ops[0]
    assert isinstance(pad, Pad)
    return pad.value <= match.range(pad.input)[0] and _frames(match)


def _folded(match: Match) -> Replacement:
    pad, op = match.ops
    assert isinstance(pad, Pad)
    assert isinstance(op, Conv2D | DepthwiseConv2D | Pool)
    return Replacement((replace(op, input=pad.input, padding=_joint(match)),))


def _same_value(match: Match) -> bool:
    inner, outer = match.ops
    assert isinstance(inner, Pad)
    assert isinstance(outer, Pad)
    return inner.value == outer.value


def _added(match: Match) -> Replacement:
    inner, outer = match.ops
    assert isinstance(inner, Pad)
    assert isinstance(outer, Pad)
    sums = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.padding, outer.padding, strict=True))
    return Replacement((replace(outer, input=inner.input, padding=sums),))


RULES = (
    Rule("padding of padding", (Pad, Pad), _same_value, _added, BOTH),
    Rule("padding that no window reads", (Conv2D | DepthwiseConv2D | Pool,), _unread, _trimmed, BOTH),
    Rule(
        "padding with zeros before a convolution", (Pad, Conv2D | DepthwiseConv2D), _pads_with_zero_point, _folded, BOTH
    ),
    Rule("padding with what is never the largest", (Pad, MaxPool2D), _never_largest, _folded, BOTH),
)
