"""How a firmware gets its input: all of it before an inference, or a few rows at a time whenever it asks for them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware

ROWS_WANTED = "model_rows_wanted"
"""The function that a firmware with a streamed input calls for rows: where to (r1), which first (r2), how many (r3)."""


@dataclass(frozen=True)
class Source:
    """The input of a firmware."""

    path: Path
    """Of the firmware, for messages."""
    nbytes: int
    """Of an input."""
    address: int
    """Of the input; where it is streamed, of the function that asks for rows."""
    row_bytes: int | None
    """Bytes of a row of a streamed input; None: the input lies in memory as a whole."""

    @classmethod
    def of(cls, firmware: Firmware) -> "Source":
        """What the symbols say.

        Raises:
            BuildError: there are none.
        """
        if firmware.has(ROWS_WANTED):
            rows, row = (firmware.symbol(f"model_input_{name}").address for name in ("rows", "row_bytes"))
            return cls(firmware.path, rows * row, firmware.symbol(ROWS_WANTED).address, row)
        place = firmware.symbol("model_input")
        return cls(firmware.path, place.size, place.address, None)

    def check(self, samples: NDArray[np.int8]) -> None:
        """Refuse samples (N, ...) that are no inputs of this firmware.

        Raises:
            BuildError: another type or size.
        """
        if samples.dtype != np.int8 or samples[0].nbytes != self.nbytes:
            how = "symbol model_input" if self.row_bytes is None else f"rows of {self.row_bytes}"
            raise BuildError(
                f"{self.path}: an input is {self.nbytes} bytes of int8 ({how}); "
                f"found {samples.dtype} {samples.shape[1:]}, {samples[0].nbytes} bytes."
            )

    def rows(self, sample: NDArray[np.int8], first: int, count: int) -> bytes:
        """``count`` rows of ``sample`` from row ``first`` on.

        Raises:
            BuildError: there are no such rows.
        """
        assert self.row_bytes is not None
        if not 0 <= first < first + count <= self.nbytes // self.row_bytes:
            raise BuildError(
                f"{self.path}: the firmware asks for rows {first} to {first + count - 1} of an input "
                f"of {self.nbytes // self.row_bytes} rows."
            )
        return sample.tobytes()[first * self.row_bytes : (first + count) * self.row_bytes]
