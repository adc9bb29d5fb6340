"""How far a window is from its reconstruction: what the device computes after the network, in integers.

Values of both are levels of the input, in sixteenths: those of the input as they are, those of the output by a table of
the 256 levels that it has, made in advance. The error of a window of n values is

    (sum of squared differences + n / 2) / n            rounded down, in (level / 16)^2

Differences are less than 2**15, squares less than 2**30, sums of up to 2**16 less than 2**46: added up in 64 bits; the
result fits 32.

Source of the C: ``kernels_templates/model/error.c.j2``.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

UNITS: Final = 16
"""Of a difference, in a level of the input."""
_LIMIT: Final = 1 << 13
"""What the table has at the most, either way: with inputs below 2**12, differences stay below 2**15."""
ERROR_BYTES: Final = 4


@dataclass(frozen=True)
class Errors:
    """How an autoencoder's output is compared with its input."""

    values: int
    """Of a window."""
    scale: float
    """Real value of one step of the output, in levels of the input, ..."""
    zero_point: int
    """... and its level of what the input calls 0."""
    threshold: int = 0
    """Mean error of a recording's windows above which it is anomalous."""

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """What each level -128 ... 127 of the output stands for, in units (256,)."""
        real = UNITS * self.scale * (np.arange(-128, 128) - self.zero_point)
        return np.asarray(np.clip(np.rint(real), -_LIMIT, _LIMIT), np.int64)

    def errors(self, inputs: NDArray[np.int8], outputs: NDArray[np.int8]) -> NDArray[np.int64]:
        """Of each window (N,): inputs and outputs have ``values`` elements each, in any shape."""
        levels = UNITS * (inputs.reshape(len(inputs), self.values).astype(np.int64) + 128)
        made = self.table[outputs.reshape(len(outputs), self.values).astype(np.int64) + 128]
        return np.asarray((((made - levels) ** 2).sum(axis=1) + self.values // 2) // self.values, np.int64)
