"""TensorFlow Lite's double rounding in four instructions, and when they are exact.

With ``acc`` holding twice the sum, and C = 2**(e - 1) + zero point * 2**e:

    ADD    t, C, acc, ASR #31       C, less one where the sum is negative: ties go away from zero
    SMMLAR acc, acc, multiplier, t  t + round(acc * multiplier / 2**32): the first rounding
    ASR    acc, acc, e              the second rounding, and the zero point
    SSAT   acc, #8, acc

The sign of the sum stands for that of the first rounding's result: they differ only where that is 0, and there the
second rounding gives 0 either way, for e >= 1.
"""

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.constants import Channels


def addends(channels: Channels) -> NDArray[np.int64]:
    """The constant C of each channel."""
    shift = channels.shift.astype(np.int64)
    return (np.int64(1) << (shift - 1)) + (np.int64(channels.zero_point) << shift)


def exact(channels: Channels) -> bool:
    """Whether the four instructions give the exact result for every input: nothing on the way leaves 32 bits."""
    if not channels.plain:
        return False
    scaled = (channels.reach * channels.multiplier.astype(np.int64) >> 31) + 1
    return bool((np.abs(addends(channels)) + scaled + 1).max() < 2**31)
