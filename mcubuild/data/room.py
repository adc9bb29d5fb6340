"""Room for the pixels of many samples: memory for few, a file that the operating system maps for many.

What is mapped needs no more memory than the system has to spare: it writes pages back, and drops them, as it likes.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

MOST_IN_MEMORY = 1 << 28
"""Bytes; more is mapped."""
_PIECE = 1 << 24
"""Bytes that are moved at a time."""


def room(shape: Sequence[int]) -> NDArray[np.uint8]:
    """Pixels of that shape, to be written: zeros. Many are in a file without a name, which goes when they do.

    Raises:
        OSError: there is not as much space among the temporary files.
    """
    size = prod(shape)
    if size <= MOST_IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is told now: later it would end the process
        return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8).reshape(shape)


def pieces(x: NDArray[np.uint8]) -> Iterator[slice]:
    """Stretches of the samples ``x`` (N, ...), one behind the other, each small enough for memory."""
    step = max(1, _PIECE // max(1, prod(x.shape[1:])))
    return (slice(start, min(start + step, len(x))) for start in range(0, len(x), step))


def taken(x: NDArray[np.uint8], chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
    """A copy of the samples of ``x`` (N, ...) with the indexes ``chosen`` (M,)."""
    out = room((len(chosen), *x.shape[1:]))
    for piece in pieces(out):
        out[piece] = x[chosen[piece]]
    return out


def kept(x: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The samples of ``x`` (N, ...) in ``mask`` (N,), moved together in place: a part of ``x``."""
    rows = np.flatnonzero(mask)
    if len(rows) < len(x):
        for piece in pieces(x[: len(rows)]):
            x[piece] = x[rows[piece]]
    return x[: len(rows)]
