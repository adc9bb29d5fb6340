"""measure.json and remote.json: what runs of the firmware gave, besides its outputs."""

from typing import Literal, TypeAlias

from mcubuild.artifacts import Artifact

MEASURED = "measure.json"
MEASURED_REMOTELY = "remote.json"


class Range(Artifact, frozen=True):
    """A quantity over the samples that were run."""

    min: float
    mean: float
    max: float


class Share(Artifact, frozen=True):
    """What one function takes of an inference; means over the samples."""

    name: str
    instructions: float
    cycles: float | None


class Measured(Artifact, frozen=True):
    """The whole measure.json. Instructions are exact, cycles are modelled."""

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


RemoteRunner: TypeAlias = Literal["gdb", "pyocd", "qemu"]


class MeasuredRemotely(Artifact, frozen=True):
    """The whole remote.json: the same firmware under the control of a debugger."""

    runner: RemoteRunner
    """What executed it."""
    target: str
    """What answered: server, probe or machine."""
    silicon: bool
    """Whether it was a chip: then cycles and latency are measured. An emulator gives outputs alone."""
    samples: int
    """Inferences run."""
    cycles: Range | None
    """From the core's cycle counter (DWT_CYCCNT), memories and caches included; None where nothing counts."""
    clock_hz: int | None
    """The core clock that the firmware reached, by its own account; nominal, as the oscillator's error adds to it."""
    latency_ms: float | None
    """Mean cycles at ``clock_hz``, in milliseconds."""
    note: str | None
    """What is missing or unusual."""
