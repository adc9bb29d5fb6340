"""TensorFlow Lite's double rounding in four instructions, and when they are exact.

With ``acc`` holding twice the sum, and C = 2**(e - 1) + zero point * 2**e:

    ADD    t, C, acc, ASR #31       C, less one where the sum is negative: ties go away from zero
    SMMLAR acc, acc, multiplier, t  t + round(acc * multiplier / 2**32): the first rounding
    ASR    acc, acc, e              the second rounding, and the zero point
    SSAT   acc, #8, acc

The sign of the sum stands for that of the first rounding's result: they differ only where that is 0, and there the
second rounding gives 0 either way, for e >= 1.

A factor of 1/2 or more, e = 0, is rounded once, so that nothing may be taken from negative sums. But few sums give
outputs that are not saturated; with a constant K added to them, these are not negative either. K * factor is so near
an integer that no such output changes, and C has that integer less.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.engine.assembly.constants import Channels

_UNSATURATED = 1024
"""Sums that are larger in magnitude saturate where the factor is 1/2 or more, wherever the zero point lies."""
_TRIED = np.arange(_UNSATURATED, 2**14)
"""Constants to try; one in about a thousand serves."""
_NEAR = 2 ** np.arange(22)
"""Distances to other multipliers."""


@dataclass(frozen=True)
class ShortForm:
    """What the four instructions compute with; one element a channel, int64."""

    bias: NDArray[np.int64]
    """What sums begin with."""
    multiplier: NDArray[np.int64]
    addend: NDArray[np.int64]
    """The constant C."""
    shift: NDArray[np.int64]
    reach: NDArray[np.int64]
    """The largest magnitude of a sum."""

    @property
    def factors(self) -> NDArray[np.int64]:
        """Multiplier, addend and shift of each channel, (channels, 3)."""
        return np.stack([self.multiplier, self.addend, self.shift], axis=1)


def short_form(channels: Channels) -> ShortForm | None:
    """What gives the exact result for every input; None if there is no such form.

    There is none for factors of 1 and above, and where something on the way could leave 32 bits.
    """
    shift = channels.shift.astype(np.int64)
    if shift.min() < 0:
        return None
    bias, multiplier = channels.bias.astype(np.int64), channels.multiplier.astype(np.int64)
    reach = channels.reach.copy()
    addend = (np.int64(1) << shift >> 1) + (np.int64(channels.zero_point) << shift)
    for channel in np.flatnonzero(shift == 0):
        lifted = _lifted(int(multiplier[channel]))
        if lifted is None:
            return None
        lift, multiplier[channel], outputs = lifted
        bias[channel] += lift
        reach[channel] += lift
        addend[channel] -= outputs
    scaled = (reach * multiplier >> 31) + 1
    if reach.max() >= 2**30 or (np.abs(addend) + scaled + 1).max() >= 2**31:
        return None
    return ShortForm(bias, multiplier, addend, shift, reach)


def _lifted(multiplier: int) -> tuple[int, int, int] | None:
    """The constant K for the factor ``multiplier`` / 2**31, a multiplier near it, and their product as an integer.

    Of multipliers near the given one, all of which give the same outputs, that is taken which leaves the product the
    most room.
    """
    sums = np.arange(-_UNSATURATED, _UNSATURATED + 1)
    outputs = (sums * multiplier + 2**30) >> 31
    sums, outputs = (values[abs(outputs) <= 256] for values in (sums, outputs))
    near = np.clip(multiplier + np.array([0, *_NEAR, *-_NEAR]), 1, 2**31 - 1)
    rests = sums * near[:, None] + 2**30 - (outputs << 31)  # with what is added, within 0 ... 2**31 - 1
    low, high = -rests.min(axis=1), 2**31 - rests.max(axis=1)
    best = int((high - low).argmax())
    products = _TRIED * near[best]
    over = (products - low[best]) % 2**31
    good = np.flatnonzero(over < high[best] - low[best])
    if not len(good):
        return None
    return int(_TRIED[good[0]]), int(near[best]), int((products - low[best])[good[0]] >> 31)
