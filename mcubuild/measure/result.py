"""What runs of a firmware say, and their files."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import Artifact, write_artifact
from mcubuild.artifacts.measured import MEASURED, MEASURED_REMOTELY, Measured, MeasuredRemotely

A = TypeVar("A", bound=Artifact)


class Measurement(Measured, frozen=True, kw_only=True):
    """One firmware, run on many samples in the emulator."""

    outputs: NDArray[np.int8]
    """What the firmware computed, int8 (samples, output bytes)."""


class RemoteMeasurement(MeasuredRemotely, frozen=True, kw_only=True):
    """One firmware, run on many samples under the control of a debugger."""

    outputs: NDArray[np.int8]
    """What the firmware computed, int8 (samples, output bytes)."""


def write(measurement: Measurement, out: Path) -> None:
    """Write ``measure.json`` (all figures) and ``device_outputs.npy`` into the folder ``out``."""
    write_artifact(_figures(measurement, Measured), out / MEASURED)
    np.save(out / "device_outputs.npy", measurement.outputs)


def write_remote(measurement: RemoteMeasurement, out: Path) -> None:
    """Write ``remote.json`` (all figures) and ``remote_outputs.npy`` into the folder ``out``."""
    write_artifact(_figures(measurement, MeasuredRemotely), out / MEASURED_REMOTELY)
    np.save(out / "remote_outputs.npy", measurement.outputs)


def _figures(measurement: Any, kind: type[A]) -> A:
    """``measurement`` without its outputs, which have a file of their own."""
    return kind(**{name: getattr(measurement, name) for name in kind.__struct_fields__})
