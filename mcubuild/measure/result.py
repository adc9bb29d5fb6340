"""What a measurement says, and its files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Range:
    """A quantity over the samples that were run."""

    min: float
    mean: float
    max: float


@dataclass(frozen=True)
class Share:
    """What one function takes of an inference; means over the samples."""

    name: str
    instructions: float
    cycles: float | None


@dataclass(frozen=True)
class Measurement:
    """One firmware, run on many samples. Instructions are exact, cycles are modelled."""

    runner: str
    """``emulator``."""
    core: str
    """The board's core."""
    cycle_model: str
    """What turned instructions into ``cycles``, memory model included; or why there are none."""
    uncertainty: float | None
    """Relative uncertainty of ``cycles`` against silicon."""
    samples: int
    """Inferences run."""
    instructions: Range
    """Executed instructions of an inference; those that an IT block skips count: they take their cycle on silicon."""
    cycles: Range | None
    """Cycles of an inference on the board, with what its memories cost; None where the core has no model."""
    zero_wait_cycles: float | None
    """The mean of ``cycles`` if no access ever made the core wait."""
    latency_ms: float | None
    """Mean cycles at ``clock_hz``, in milliseconds."""
    clock_hz: int
    """The board's core clock."""
    stack_bytes: int
    """Deepest use of the stack, in bytes below __stack_top."""
    layers: tuple[Share, ...]
    """Each layer function with everything it calls, in the order that was asked for."""
    outside_layers: Share
    """What remains of an inference: calling the layers."""
    functions: tuple[Share, ...]
    """Each function without what it calls, most instructions first."""
    outputs: NDArray[np.int8]
    """What the firmware computed, int8 (samples, output bytes)."""


def write(measurement: Measurement, out: Path) -> None:
    """Write ``measure.json`` (all figures) and ``device_outputs.npy`` into the folder ``out``."""
    figures = asdict(measurement)
    del figures["outputs"]
    (out / "measure.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    np.save(out / "device_outputs.npy", measurement.outputs)
