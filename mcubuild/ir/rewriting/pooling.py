"""Means over height and width as average pooling, which runs a few rows at a time."""

import numpy as np

from mcubuild.ir.geometry import Pair
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.rewriting.rule import Match, Replacement, Rule

_MOST_ELEMENTS = 1 << 12
"""Of a window whose sums are all tried."""


def _window(match: Match) -> Pair:
    op = match.last
    assert isinstance(op, Mean)
    _, height, width, _ = match.shape(op.input)
    return height if 1 in op.axes else 1, width if 2 in op.axes else 1


def _rounds_alike(match: Match) -> bool:
    """Whether both give the same for every sum there can be: their roundings differ, but not everywhere."""
    op = match.last
    assert isinstance(op, Mean)
    if len(match.shape(op.input)) != 4 or not set(op.axes) <= {1, 2}:
        return False
    if match.quantization(op.input) != match.quantization(op.output):
        return False
    window = _window(match)
    count = window[0] * window[1]
    if not 1 <= count <= _MOST_ELEMENTS:
        return False
    low, high = match.range(op.input)
    sums = np.arange(low * count, high * count + 1)
    derived = op.parameters(match.graph)
    scaled = derived.factor.times(sums + derived.sum_offset)
    means = np.clip(scaled + derived.output_offset, -128, 127)
    return bool((means == np.sign(sums) * ((np.abs(sums) + count // 2) // count)).all())


def _pooled(match: Match) -> Replacement:
    op = match.last
    assert isinstance(op, Mean)
    return Replacement((AveragePool2D(op.input, op.output, _window(match)),))


RULES = (Rule("mean whose rounding is that of a pooling", (Mean,), _rounds_alike, _pooled),)
