"""[budget]: what the firmware may use, and how well it must do its task."""

from math import isclose

from pydantic import Field, model_validator

from mcubuild.quantities import Bytes, Joules, Seconds, Share
from mcubuild.settings import Settings


class Budget(Settings):
    """Limits of the firmware. One that is not given is the board's memory, or no limit on time or accuracy."""

    sram: Bytes | None = None
    """Peak RAM in bytes: arena, static data and stack."""
    flash: Bytes | None = None
    """Flash in bytes: code, constants and initial values."""
    latency: Seconds | None = Field(default=None)
    """Time of one inference in seconds; "5fps" is 0.2 s."""
    energy: Joules | None = None
    """Energy of one inference in joules, at the board's typical active power: a limit on the time by another name."""
    accuracy: Share | None = None
    """Share of the test samples, at least, that the firmware must classify correctly: ``"90%"`` or ``0.9``."""
    strict: bool = False
    """Whether the lower end of the 95 % interval of the accuracy must reach ``accuracy``, rather than the accuracy."""

    @model_validator(mode="after")
    def _strict_about_something(self) -> "Budget":
        if self.strict and self.accuracy is None:
            raise ValueError('found strict without accuracy, which it is about; add accuracy = "90%" or remove strict')
        return self

    def bound_by_energy(self, power: float) -> bool:
        """Whether the latency, as ``read_spec`` resolved it, is what ``power`` in mW leaves of the energy."""
        if self.energy is None or self.latency is None:
            return False
        return isclose(self.latency, self.energy / (power / 1e3))
