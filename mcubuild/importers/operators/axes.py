"""From the axes of a file's tensors to those of the graph's, which begin with a batch of 1."""

from collections.abc import Iterable

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
