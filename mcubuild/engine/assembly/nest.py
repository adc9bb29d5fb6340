"""Nested loops over tensors of equal or broadcast shape, with as few loops as the addresses allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from mcubuild.ir.geometry import Shape


@dataclass(frozen=True)
class Nest:
    """Loops, the outermost first, and the address of each operand in them."""

    sizes: tuple[int, ...]
    strides: Mapping[str, tuple[int, ...]]
    """Elements from one step of each loop to the next, by operand."""
    offsets: Mapping[str, int]
    """Where each operand begins."""
    counter: str = "i"
    """The counters are this letter with the level behind it."""

    def index(self, operand: str) -> str:
        """The address of an element as C, in the loops' counters."""
        terms = [
            f"{self.counter}{level}" if stride == 1 else f"{self.counter}{level} * {stride}"
            for level, stride in enumerate(self.strides[operand])
            if stride
        ]
        if self.offsets[operand] or not terms:
            terms.insert(0, str(self.offsets[operand]))
        return " + ".join(terms)

    @property
    def indices(self) -> dict[str, str]:
        """``index`` of every operand."""
        return {operand: self.index(operand) for operand in self.strides}


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Strides of a tensor whose last axis is the innermost."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def broadcast(shape: Shape, to: Shape) -> tuple[int, ...]:
    """Strides with which a tensor of ``shape`` is read where ``to`` is written: 0 where an element is repeated."""
    padded = (1,) * (len(to) - len(shape)) + shape
    return tuple(0 if size == 1 else stride for size, stride in zip(padded, contiguous(padded), strict=True))


def nest(
    shape: Shape,
    strides: Mapping[str, Sequence[int]],
    offsets: Mapping[str, int] | None = None,
    counter: str = "i",
) -> Nest:
    """Loops over ``shape`` in which every operand has the given strides; neighbours that can be one loop become one."""
    axes: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        steps = [each[axis] for each in strides.values()]
        if size == 1:
            continue
        if axes and all(outer == inner * size for outer, inner in zip(axes[-1][1], steps, strict=True)):
            axes[-1] = (axes[-1][0] * size, steps)
        else:
            axes.append((size, steps))
    if not axes:
        axes = [(1, [0] * len(strides))]
    return Nest(
        sizes=tuple(size for size, _ in axes),
        strides={name: tuple(steps[k] for _, steps in axes) for k, name in enumerate(strides)},
        offsets={name: (offsets or {}).get(name, 0) for name in strides},
        counter=counter,
    )
