"""One firmware on one target: from reset to the output of each sample, as the debugger sees it.

The firmware's protocol needs no wire but the debugger's: halt at model_ready, write model_input, run to model_done,
read model_output and model_cycles. Where the input is streamed, halt wherever the firmware asks for rows of it.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.remote.faults import explain
from mcubuild.measure.remote.target import Target
from mcubuild.measure.source import Source
from mcubuild.progress import bar

_FAULT_HANDLER = "HardFault_Handler"


@dataclass(frozen=True)
class Observation:
    """What a target did with the samples."""

    outputs: NDArray[np.int8]
    """int8 (samples, output bytes)."""
    cycles: tuple[int, ...] | None
    """Core cycles of each inference, by the core's own counter; None where it has none."""
    clock_hz: int | None
    """The core clock that the firmware says it runs with; None where it does not know."""
    note: str | None
    """What is missing, and why."""


@dataclass(frozen=True)
class Session:
    """A firmware on a target."""

    target: Target
    firmware: Firmware
    layers: tuple[str, ...]
    """Names of the layers' C functions, for messages."""
    patience: float = 120.0
    """Seconds to wait for the start, and for an inference."""

    def run(self, samples: NDArray[np.int8]) -> Observation:
        """Load the firmware, start it, and run every sample.

        Args:
            samples: int8 (N, ...), each as many bytes as all inputs together, or as those of several runs.

        Raises:
            BuildError: the firmware lacks a symbol, faults or hangs, or the target does not obey.
        """
        source, results = Source.of(self.firmware), self.firmware.buffers("model_output")
        source.check(samples)
        outputs: list[NDArray[np.int8]] = []
        cycles, longest = [], 0.0
        self.target.load(self.firmware)
        self.target.reset(self.firmware)
        self._go("model_ready", "starting up")
        clock = self._variable("model_clock_hz")
        initial = b"" if source.state is None else self.target.read(source.state.address, source.state.size)
        with bar("remote", len(samples)) as progress:
            for index, sample in enumerate(samples):
                if source.state is not None:
                    self.target.write(source.state.address, initial)
                answers, runs = [], source.runs(sample)
                for number, inputs in enumerate(runs):
                    for address, part in source.parts(inputs):
                        self.target.write(address, part)
                    begun = time.monotonic()
                    self._go("model_done", f"on sample {index}", (source, inputs))
                    longest = max(longest, time.monotonic() - begun)
                    answers += [self.target.read(place.address, place.size) for place in results]
                    cycles.append(self._variable("model_cycles"))
                    if index + 1 < len(samples) or number + 1 < len(runs):
                        self._go("model_ready", f"after sample {index}")
                outputs.append(np.frombuffer(b"".join(answers), np.int8))
                progress.advance()
        counted, note = _counted(cycles, clock, longest)
        return Observation(np.array(outputs), counted, clock or None, note)

    def _go(self, name: str, doing: str, feeding: tuple[Source, NDArray[np.int8]] | None = None) -> None:
        """Run to the function ``name``; on the way, write the rows of a sample that the firmware asks for."""
        where = self.firmware.symbol(name).address
        stops, wants = {where}, None
        if feeding is not None and feeding[0].asks is not None:
            wants = feeding[0].asks
            stops.add(wants)
        if self.firmware.has(_FAULT_HANDLER):
            stops.add(self.firmware.symbol(_FAULT_HANDLER).address)
        at = self.target.run_to(stops, self.patience)
        while feeding is not None and wants is not None and at == wants:
            address, first, count = (self.target.register(f"r{number}") for number in (1, 2, 3))
            self.target.write(address, feeding[0].rows(feeding[1], first, count))
            # Servers would stop at once where they go on from: first to where the function returns to.
            self.target.run_to({self.target.register("lr") & ~1}, self.patience)
            at = self.target.run_to(stops, self.patience)
        if at == where:
            return
        if at is None:
            at = self.target.register("pc")
            problem = f"did not reach {name} within {self.patience:g} s; it was {self._place(at)}"
        elif at in stops:
            problem = explain(self.target, self.firmware, self.layers)
        else:
            problem = f"stopped by itself (BKPT, or a fault that the debugger catches) {self._place(at)}"
        raise BuildError(f"{self.firmware.path}: {self.target.description}: {doing}, the firmware {problem}.")

    def _place(self, address: int) -> str:
        return f"in {self.firmware.function_at(address)} at 0x{address:08x}"

    def _variable(self, name: str) -> int | None:
        """A uint32 of the firmware; None where it has no such variable."""
        if not self.firmware.has(name):
            return None
        return int.from_bytes(self.target.read(self.firmware.symbol(name).address, 4), "little")


def _counted(cycles: list[int | None], clock: int | None, longest: float) -> tuple[tuple[int, ...] | None, str | None]:
    """The cycles, if they can be believed; otherwise why not."""
    counted = tuple(count for count in cycles if count is not None)
    if len(counted) < len(cycles):
        return None, "no cycles: the core has no cycle counter"
    if not any(counted):
        return None, "no cycles: the cycle counter (DWT_CYCCNT) of this target does not count"
    if clock and longest > 2**32 / clock:
        return None, f"no cycles: an inference may have taken {longest:.1f} s, longer than the 32-bit counter counts"
    return counted, None
