"""From the axes of a file's tensors to those of the graph's, which begin with a batch of 1."""

from collections.abc import Iterable, Mapping

from mcubuild.importers.builder import Node
from mcubuild.importers.tflite_file import FileTensor


def normal_axes(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """``axes`` counted from the first, each once, in ascending order.

    Raises:
        ValueError: one is beyond the tensor's.
    """
    found = set()
    for axis in axes:
        if not -rank <= axis < rank:
            raise ValueError(f"has axis {axis}; its operand has {rank} axes")
        found.add(axis % rank)
    return tuple(sorted(found))


def opened(node: Node, tensor: FileTensor, touched: Iterable[int]) -> tuple[str, int]:
    """The activation of ``tensor`` such that none of the ``touched`` axes of the file is the graph's batch.

    Returns:
        Its name, and what to add to an axis of the file.
    """
    name = node.builder.activation(tensor)
    if tensor.shape[:1] == (1,) and 0 in touched:
        return node.builder.view(name, (1, *tensor.shape)), 1
    return name, 0 if tensor.shape[:1] == (1,) else 1


def strided(
    options: Mapping[str, int | float | bool | str],
    shape: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    stride: tuple[int, ...],
) -> list[range]:
    """The indices that STRIDED_SLICE takes along each axis of ``shape``; bits of its masks belong to axes.

    Raises:
        ValueError: it asks for axes to be added, or its operands do not go together.
    """
    if any(options.get(name) for name in ("EllipsisMask", "NewAxisMask", "Offset")):
        raise ValueError("has an ellipsis, a new axis or an offset; let the converter write it without")
    if not len(begin) == len(end) == len(stride) <= len(shape):
        raise ValueError(f"has {len(begin)} begins, {len(end)} ends and {len(stride)} strides for {len(shape)} axes")
    ranges = []
    for axis, size in enumerate(shape):
        if axis >= len(begin):
            ranges.append(range(size))
            continue
        open_begin, open_end, single = (
            bool(int(options.get(f"{name}Mask", 0)) >> axis & 1) for name in ("Begin", "End", "ShrinkAxis")
        )
        if single:
            place = begin[axis] % size if -size <= begin[axis] < size else size
            ranges.append(range(place, place + 1))
        elif stride[axis] == 0:
            raise ValueError("has stride 0")
        else:
            first, last = (None if open_begin else begin[axis]), (None if open_end else end[axis])
            ranges.append(range(*slice(first, last, stride[axis]).indices(size)))
    return ranges
