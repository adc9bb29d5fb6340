"""Softmax in fixed point: exponentials from a table, one division a row.

Source: the 8-bit ``Softmax`` of TensorFlow Lite's reference kernels; ``GetReciprocal``.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import doubling_high_mul, rounding_divide
from mcubuild.ir.graph import Levels
from mcubuild.ir.parameters import SoftmaxParameters
from mcubuild.ir.transcendental import one_over_one_plus

SUM_BITS: Final = 12
"""Integer bits of a sum of exponentials."""


def probabilities(x: Levels, derived: SoftmaxParameters) -> NDArray[np.int8]:
    """Softmax over the last axis of x, in 1/256 from -128 on; int8 of the same shape.

    Raises:
        ValueError: a row is so long that the sum could leave 32 bits.
    """
    if x.shape[-1] >= 1 << SUM_BITS:
        raise ValueError(f"Softmax of {x.shape[-1]} elements; at most {(1 << SUM_BITS) - 1} can be summed")
    table = np.zeros(256, np.int64)
    table[: len(derived.exponentials)] = derived.exponentials
    wide = x.astype(np.int64)
    powers = table[wide.max(axis=-1, keepdims=True) - wide]
    total = rounding_divide(powers, SUM_BITS).sum(axis=-1, keepdims=True)
    # total lies in [1, 2**12) as Q12: brought to [1, 2), its integer part dropped, as Q0.
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    reciprocal = one_over_one_plus((total << (32 - bits)) - (1 << 31))
    scaled = rounding_divide(doubling_high_mul(reciprocal, powers), bits - 20 + 23)
    return np.where(
        wide.max(axis=-1, keepdims=True) - wide < len(derived.exponentials), np.clip(scaled - 128, -128, 127), -128
    ).astype(np.int8)
