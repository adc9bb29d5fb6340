"""Activations of 4 bits as they lie in the arena, written down apart from the engine."""

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.graph import Tensor

Int8 = NDArray[np.int8]


def stored(tensor: Tensor, rows: Int8) -> Int8:
    """Bytes (rows, bytes) of ``rows`` (rows, ...) of an activation: packed ones in words of eight."""
    flat = rows.reshape(len(rows), -1)
    if not tensor.packed:
        return flat
    eights = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8))).reshape(len(rows), -1, 2, 4)
    return np.ascontiguousarray(((eights[:, :, 1] << 4) | (eights[:, :, 0] & 15)).reshape(len(rows), -1))


def read(tensor: Tensor, rows: Int8) -> Int8:
    """The opposite: numbers (rows, elements) of bytes (rows, bytes)."""
    if not tensor.packed:
        return rows
    words = rows.reshape(len(rows), -1, 1, 4)
    eights = np.concatenate([(words << 4).astype(np.int8) >> 4, words >> 4], axis=2).astype(np.int8)
    elements = int(np.prod(tensor.shape[2:] if len(tensor.shape) == 4 else tensor.shape))
    return eights.reshape(len(rows), -1)[:, :elements]
