"""How a firmware gets its inputs: as a whole before an inference, or a few rows at a time whenever it asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware, Symbol

ROWS_WANTED = "model_rows_wanted"
"""The function that a firmware with a streamed input calls for rows: where to (r1), which first (r2), how many (r3)."""

STATE = "model_state"
"""What a firmware keeps from run to run."""


@dataclass(frozen=True)
class Source:
    """The input of a firmware."""

    path: Path
    """Of the firmware, for messages."""
    nbytes: int
    """Of all inputs together."""
    buffers: tuple[Symbol, ...] = ()
    """Where inputs lie that are written as a whole."""
    asks: int | None = None
    """Address of the function that asks for rows of a streamed input; None: there is none."""
    row_bytes: int = 0
    """Of a row of a streamed input."""
    state: Symbol | None = None
    """What the firmware keeps from run to run, where it keeps anything."""

    @classmethod
    def of(cls, firmware: Firmware) -> "Source":
        """What the symbols say.

        Raises:
            BuildError: there are none.
        """
        state = firmware.symbol(STATE) if firmware.has(STATE) else None
        if firmware.has(ROWS_WANTED):
            rows, row = (firmware.symbol(f"model_input_{name}").address for name in ("rows", "row_bytes"))
            return cls(firmware.path, rows * row, asks=firmware.symbol(ROWS_WANTED).address, row_bytes=row, state=state)
        places = firmware.buffers("model_input")
        return cls(firmware.path, sum(place.size for place in places), tuple(places), state=state)

    def check(self, samples: NDArray[np.int8]) -> None:
        """Refuse samples (N, ...) that are no inputs of this firmware.

        Raises:
            BuildError: another type or size.
        """
        several = self.state is not None and samples[0].nbytes > 0 and samples[0].nbytes % self.nbytes == 0
        if samples.dtype != np.int8 or not (samples[0].nbytes == self.nbytes or several):
            how = "symbol model_input" if self.asks is None else f"rows of {self.row_bytes}"
            raise BuildError(
                f"{self.path}: an input is {self.nbytes} bytes of int8 ({how}); "
                f"found {samples.dtype} {samples.shape[1:]}, {samples[0].nbytes} bytes."
            )

    def runs(self, sample: NDArray[np.int8]) -> list[NDArray[np.int8]]:
        """The inputs (bytes,) of a sample's runs; several where the firmware keeps something from run to run."""
        return list(np.ascontiguousarray(sample).reshape(-1, self.nbytes))

    def parts(self, sample: NDArray[np.int8]) -> Iterator[tuple[int, bytes]]:
        """Addresses and bytes that are to be written before an inference: nothing of a streamed input."""
        data = sample.tobytes()
        for place in self.buffers:
            yield place.address, data[: place.size]
            data = data[place.size :]

    def rows(self, sample: NDArray[np.int8], first: int, count: int) -> bytes:
        """``count`` rows of ``sample`` from row ``first`` on.

        Raises:
            BuildError: there are no such rows.
        """
        if not 0 <= first < first + count <= self.nbytes // self.row_bytes:
            raise BuildError(
                f"{self.path}: the firmware asks for rows {first} to {first + count - 1} of an input "
                f"of {self.nbytes // self.row_bytes} rows."
            )
        return sample.tobytes()[first * self.row_bytes : (first + count) * self.row_bytes]
