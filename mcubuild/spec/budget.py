"""[budget]: what the firmware may use."""

from math import isclose

from pydantic import Field

from mcubuild.quantities import Bytes, Joules, Seconds
from mcubuild.settings import Settings


class Budget(Settings):
    """Limits of the firmware. A limit that is not given is the board's memory, or no limit on the time."""

    sram: Bytes | None = None
    """Peak RAM in bytes: arena, static data and stack."""
    flash: Bytes | None = None
    """Flash in bytes: code, constants and initial values."""
    latency: Seconds | None = Field(default=None)
    """Time of one inference in seconds; "5fps" is 0.2 s."""
    energy: Joules | None = None
    """Energy of one inference in joules, at the board's typical active power: a limit on the time by another name."""

    def bound_by_energy(self, power: float) -> bool:
        """Whether the latency, as ``read_spec`` resolved it, is what ``power`` in mW leaves of the energy."""
        if self.energy is None or self.latency is None:
            return False
        return isclose(self.latency, self.energy / (power / 1e3))
