"""[measure]: how the firmware is run."""

from typing import Literal

from pydantic import Field

from mcubuild.settings import Settings


class MeasureSettings(Settings):
    """Running the ELF."""

    runner: Literal["emulator"] = "emulator"
    """``emulator``: unicorn executes the unmodified ELF; instructions are counted, cycles modelled."""
    samples: int | None = Field(default=None, ge=1)
    """Test samples to run, drawn evenly from the test split; default: all of them."""
