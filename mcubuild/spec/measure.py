"""[measure]: how the firmware is run."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mcubuild.settings import Settings

DEFAULT_REMOTE = "localhost:3333"
"""Where OpenOCD and pyOCD listen unless they are told otherwise."""


class MeasureSettings(Settings):
    """Running the ELF."""

    runner: Literal["emulator", "qemu", "gdb", "pyocd"] = "emulator"
    """``emulator``: unicorn executes the unmodified ELF; instructions are counted, cycles modelled. That is always
    done; the others run the firmware once more: ``qemu`` in QEMU, ``gdb`` on a board behind a GDB server (OpenOCD,
    pyOCD, J-Link, ST-LINK), ``pyocd`` on a board whose debug probe is plugged in here."""
    remote: str | None = None
    """``host:port`` of the GDB server, for ``runner = "gdb"``; default: ``localhost:3333``."""
    samples: int | None = Field(default=None, ge=1)
    """Test samples to run, drawn evenly from the test split; default: all of them."""

    @field_validator("remote")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None:
            found = re.fullmatch(r"([^\s:/]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})", value)
            if found is None or not 0 < int(found[2]) < 65536:
                raise ValueError(
                    f"found {value!r}; write host:port with a port of 1 to 65535, as in {DEFAULT_REMOTE!r}"
                )
        return value

    @model_validator(mode="after")
    def _only_gdb_has_a_remote(self) -> "MeasureSettings":
        if self.remote is not None and self.runner != "gdb":
            raise ValueError(
                f"found remote = {self.remote!r} with runner = {self.runner!r}, which connects to nothing; "
                'set runner = "gdb" or remove remote'
            )
        return self
