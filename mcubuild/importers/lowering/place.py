"""Values of a program while it becomes a file of operators on channels-last tensors.

No axis moves before an operator needs it elsewhere: a tensor of the file remembers which axis of the program each of
its own is, so that transpositions only rename, and networks of channels first are turned once, at their inputs.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """real = scale * (level - zero_point), with one scale, or one for each index of ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Known:
    """A constant; axes are the program's."""

    values: NDArray[Any]
    """Integers, or real numbers; of what is on a grid its levels."""
    grid: Grid | None = None
    """What the levels stand for: of the result of DequantizeLinear."""

    @property
    def shape(self) -> Shape:
        """Of the values."""
        return self.values.shape

    @property
    def real(self) -> NDArray[np.float64]:
        """The real values."""
        values: NDArray[np.float64] = np.asarray(self.values, np.float64)
        if self.grid is None:
            return values
        along = (-1, *(1,) * (values.ndim - 1 - self.grid.axis)) if len(self.grid.scale) > 1 else ()
        scale, zero = (np.array(each).reshape(along) for each in (self.grid.scale, self.grid.zero_point))
        return np.asarray((values - zero) * scale, np.float64)

    def moved(self, order: Shape) -> "Known":
        """Axis i of the result is axis ``order[i]``."""
        grid = self.grid
        if grid is not None and len(grid.scale) > 1:
            grid = Grid(grid.scale, grid.zero_point, order.index(grid.axis))
        return Known(np.ascontiguousarray(self.values.transpose(order)), grid)

    def reshaped(self, shape: Shape) -> "Known":
        """The same elements; the axis that scales belong to must stay whole, else the values become real."""
        values = self.values.reshape(shape)
        if self.grid is None or len(self.grid.scale) == 1:
            return Known(values, self.grid)
        before, size = prod(self.shape[: self.grid.axis]), self.shape[self.grid.axis]
        for axis in range(len(shape)):
            if prod(shape[:axis]) == before and shape[axis] == size:
                return Known(values, Grid(self.grid.scale, self.grid.zero_point, axis))
        return Known(self.real.reshape(shape).astype(np.float32))


@dataclass(frozen=True)
class Placed:
    """An activation."""

    index: int
    """Of the file's tensor."""
    shape: Shape
    """In the program."""
    order: Shape
    """Axis i of the file's tensor is axis ``order[i]`` of the program's."""

    def axis(self, axis: int) -> int:
        """The file's axis that is the program's ``axis``."""
        return self.order.index(axis)


def plain(rank: int) -> Shape:
    """The order that is the program's own."""
    return tuple(range(rank))


def channels_last(rank: int) -> Shape:
    """The order with axis 1 behind all others."""
    return (0, *range(2, rank), 1) if rank > 2 else plain(rank)


def placed_shape(shape: Shape, order: Shape) -> Shape:
    """The file's shape of what has ``shape`` in the program."""
    return tuple(shape[axis] for axis in order)


def regrouped(shape: Shape, order: Shape, wanted: Shape) -> Shape | None:
    """The order in which elements lie that are reshaped to ``wanted`` without being moved; None if there is none.

    Axes that are split or joined must follow one another in ``order`` as in ``shape``.
    """
    groups = _groups(shape, wanted)
    place, result = 0, list[int]()
    members = {axis: number for number, (olds, _) in enumerate(groups) for axis in olds}
    while place < len(order):
        olds, news = groups[members[order[place]]]
        if order[place : place + len(olds)] != olds:
            return None
        result.extend(news)
        place += len(olds)
    return tuple(result) if sorted(result) == list(range(len(wanted))) else None


def _groups(shape: Shape, wanted: Shape) -> list[tuple[Shape, Shape]]:
    """Runs of axes of either shape that hold the same elements, as small as possible."""
    groups = list[tuple[Shape, Shape]]()
    first, second = 0, 0
    while first < len(shape) and second < len(wanted):
        i, j = first + 1, second + 1
        old, new = shape[first], wanted[second]
        while old != new:
            if old < new:
                old, i = old * shape[i], i + 1
            else:
                new, j = new * wanted[j], j + 1
        groups.append((tuple(range(first, i)), tuple(range(second, j))))
        first, second = i, j
    if groups and (first < len(shape) or second < len(wanted)):  # sizes of 1 at the end
        olds, news = groups.pop()
        groups.append(((*olds, *range(first, len(shape))), (*news, *range(second, len(wanted)))))
    return groups
