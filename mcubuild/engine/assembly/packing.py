"""Orders in which kernels store weights, and 4-bit weights two to a byte."""

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.int8]


def nibbles(low: Weights, high: Weights) -> Weights:
    """Bytes of two 4-bit numbers each; arrays of equal shape with values in -8 ... 7."""
    return ((low & 0x0F) | (high << 4)).astype(np.int8)


def pair_bytes(filters: int, depth: int, bits: int, together: int) -> int:
    """Bytes that ``pairs`` makes of (filters, depth) weights."""
    return depth * (filters if bits == 8 or together == 1 else -(-filters // 2))


def pairs(weights: Weights, bits: int, together: int) -> Weights:
    """Filters (N, K) for loops over two filters at a time: w[0][0], w[1][0], w[0][1], w[1][1], ..., then w[2][0] ...

    With 4 bits the two weights that stand side by side share a byte, the first in the low half. An odd last filter
    follows alone, one weight a byte, as do all if one filter is computed at a time (``together``).
    """
    couples, depth = len(weights) // 2 if together == 2 else 0, weights.shape[1]
    split = weights[: 2 * couples].reshape(couples, 2, depth)
    joined = nibbles(split[:, 0], split[:, 1]) if bits == 4 else split.transpose(0, 2, 1)
    return np.concatenate([joined.ravel(), weights[2 * couples :].ravel() & np.int8(-1 if bits == 8 else 0x0F)])


def row_bytes(filters: int, depth: int, bits: int) -> int:
    """Bytes that ``rows`` makes of (filters, depth) weights."""
    return filters * (-(-depth * bits // 8))


def rows(weights: Weights, bits: int) -> Weights:
    """Filters (N, K), one after the other; with 4 bits, two neighbours share a byte and each filter begins a byte."""
    if bits == 8:
        return weights.ravel()
    padded = np.pad(weights, ((0, 0), (0, weights.shape[1] % 2)))
    return nibbles(padded[:, 0::2], padded[:, 1::2]).ravel()
