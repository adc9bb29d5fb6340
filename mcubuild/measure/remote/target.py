"""What runs a firmware under the control of a debugger: the little that the run loop asks of it."""

from collections.abc import Collection
from typing import Protocol

from mcubuild.measure.elf import Firmware


class Target(Protocol):
    """A halted core with memory. All methods raise BuildError when the target does not do what was asked."""

    description: str
    """What answered: server, probe or machine."""
    silicon: bool
    """Whether it is a chip; otherwise something that behaves like one."""

    def load(self, firmware: Firmware) -> None:
        """Write the firmware to where it is loaded, flash included, unless it is there already; verify it."""

    def reset(self, firmware: Firmware) -> None:
        """Reset core and peripherals, and halt before the first instruction."""

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes of memory."""

    def write(self, address: int, data: bytes) -> None:
        """Overwrite RAM."""

    def register(self, name: str) -> int:
        """The register ``r0`` to ``r12``, ``sp``, ``lr`` or ``pc``."""

    def set_register(self, name: str, value: int) -> None:
        """Change one of these."""

    def run_to(self, addresses: Collection[int], seconds: float) -> int | None:
        """Run until the core is about to execute one of ``addresses``.

        Returns:
            Where it halted, which is elsewhere if it halted by itself; None if it had to be halted after ``seconds``.
        """

    def close(self) -> None:
        """Let the target run on its own, and disconnect."""
