"""What a run outside of the emulator says, and its files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cycles:
    """Core cycles of an inference over the samples, as the core counted them."""

    min: float
    mean: float
    max: float


@dataclass(frozen=True)
class RemoteMeasurement:
    """One firmware, run on many samples under the control of a debugger."""

    runner: str
    """``gdb``, ``qemu`` or ``pyocd``."""
    target: str
    """What answered: server, probe or machine."""
    silicon: bool
    """Whether it was a chip: then cycles and latency are measured. An emulator gives outputs alone."""
    samples: int
    """Inferences run."""
    cycles: Cycles | None
    """From the core's cycle counter (DWT_CYCCNT), memories and caches included; None where nothing counts."""
    clock_hz: int | None
    """The core clock that the firmware reached, by its own account; nominal, as the oscillator's error adds to it."""
    latency_ms: float | None
    """Mean cycles at ``clock_hz``, in milliseconds."""
    note: str | None
    """What is missing or unusual."""
    outputs: NDArray[np.int8]
    """What the firmware computed, int8 (samples, output bytes)."""


def write(measurement: RemoteMeasurement, out: Path) -> None:
    """Write ``remote.json`` (all figures) and ``remote_outputs.npy`` into the folder ``out``."""
    figures = asdict(measurement)
    del figures["outputs"]
    (out / "remote.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    np.save(out / "remote_outputs.npy", measurement.outputs)
