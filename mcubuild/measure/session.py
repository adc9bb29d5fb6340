"""One firmware in one emulator: from reset to the output of each sample."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mcubuild.board import Board
from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.memory import memory_system
from mcubuild.measure.profile import Profile, Profiler
from mcubuild.measure.source import Source

_START_LIMIT = 400_000_000
_INFERENCE_LIMIT = 100_000_000_000
"""Bytes of code to execute before giving up; two or four an instruction."""

_PAINT = b"\xa5\x5a\xc3\x3c"
_CCR = 0xE000_ED14  # configuration and control register, Armv7-M Architecture Reference Manual, B3.2.8
_CCR_CACHES = 0x3_0000  # DC and IC


class Session:
    """Follows the firmware's protocol: ``model_ready``, ``model_invoke``, ``model_done``, and again."""

    def __init__(self, board: Board, firmware: Firmware, layers: list[str]):
        """Run the start-up code to the first ``model_ready``.

        Raises:
            BuildError: the firmware does not fit the board, lacks a symbol, faults or hangs.
        """
        self.emulator = Emulator(board, firmware, layers)
        self._board, self._firmware, self._layers = board, firmware, len(layers)
        names = ("model_ready", "model_invoke", "model_done")
        self._ready, self._invoke, self._done = (firmware.symbol(name).address for name in names)
        self._source, self._outputs = Source.of(firmware), firmware.buffers("model_output")
        self._sample = np.zeros(0, np.int8)
        if self._source.asks is not None:
            self.emulator.on_call(self._source.asks, self._write_rows)
        self._bottom, self._top = (firmware.symbol(f"__stack_{end}").address for end in ("bottom", "top"))
        self._profiler: Profiler | None = None
        if board.clock_code is not None:
            # The user's: made for registers that are not here, it may wait for them for ever.
            self.emulator.run(firmware.symbol("clock_setup").address, _START_LIMIT, "starting up")
            self.emulator.leave(board.clock)
        self.emulator.run(self._ready, _START_LIMIT, "starting up")
        self._initial = self._state()
        words = (self.emulator.stack_pointer - self._bottom) // 4
        self.emulator.write(self._bottom, _PAINT * words)

    def _state(self) -> bytes:
        place = self._source.state
        return b"" if place is None else self.emulator.read(place.address, place.size)

    def run(self, sample: NDArray[np.int8], doing: str) -> Iterator[NDArray[np.int8]]:
        """The outputs of a sample's runs one after the other, int8 (bytes,), from what the network begins with.

        Arguments and errors as for ``infer``; the sample is as many bytes as the inputs of all its runs.
        """
        if self._source.state is not None:
            self.emulator.run(self._ready, _START_LIMIT, doing)
            self.emulator.write(self._source.state.address, self._initial)
        for number, part in enumerate(self._source.runs(sample)):
            yield self.infer(part, f"{doing}, run {number}" if self._source.state else doing)

    def infer(self, sample: NDArray[np.int8], doing: str) -> NDArray[np.int8]:
        """The output for one input; the inference between is counted.

        Args:
            sample: int8, as many bytes as all inputs together.
            doing: for messages: which sample it is.

        Returns:
            int8 (bytes of all outputs,).

        Raises:
            BuildError: the firmware faults or hangs.
        """
        emulator = self.emulator
        emulator.run(self._ready, _START_LIMIT, doing)
        self._sample = sample
        for address, part in self._source.parts(sample):
            emulator.write(address, part)
        emulator.run(self._invoke, _START_LIMIT, doing)
        self._observe(True)
        emulator.run(emulator.link_register, _INFERENCE_LIMIT, doing)
        self._observe(False)
        emulator.run(self._done, _START_LIMIT, doing)
        outputs = b"".join(bytes(emulator.read(place.address, place.size)) for place in self._outputs)
        return np.frombuffer(outputs, np.int8)

    def _write_rows(self, _context: int, address: int, first: int, count: int) -> None:
        self.emulator.write(address, self._source.rows(self._sample, first, count))

    def profile(self, sample: NDArray[np.int8]) -> Profile:
        """One more run of a sample, its first, with every access watched."""
        caches_on = bool(int.from_bytes(self.emulator.read(_CCR, 4), "little") & _CCR_CACHES)
        system = memory_system(self._board, caches_on)
        self._profiler = Profiler(self.emulator.uc, self.emulator.counter, self._layers, system)
        next(self.run(sample, "while it is profiled"))
        return self._profiler.profile

    def _observe(self, enabled: bool) -> None:
        self.emulator.counter.count(enabled)
        if self._profiler is not None:
            self._profiler.watch(enabled)

    @property
    def stack_bytes(self) -> int:
        """The deepest use of the stack since the start-up, in bytes below __stack_top.

        Raises:
            BuildError: the whole stack was used.
        """
        words = np.frombuffer(self.emulator.read(self._bottom, (self._top - self._bottom) // 4 * 4), np.uint32)
        touched = np.flatnonzero(words != np.frombuffer(_PAINT, np.uint32)[0])
        if touched[0] == 0:
            raise BuildError(
                f"{self._firmware.path}: the stack of {self._top - self._bottom} bytes is used up to its last word and "
                "may have run over; raise [firmware] stack."
            )
        return int(self._top - self._bottom - 4 * touched[0])
