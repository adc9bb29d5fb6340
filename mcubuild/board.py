"""The boards: what boards/*.toml says of core, clock, memories and power."""

import difflib
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.quantities import Bytes, Hertz
from mcubuild.settings import Settings, read_toml

BOARDS = ROOT / "boards"

DESCRIPTIVE = frozenset({"title", "source", "openocd", "pyocd_target", "active_power_mw"})
"""Fields of a board that neither the firmware's size nor its cycles depend on."""

Core = Literal["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]


class Memory(Settings):
    """One memory region."""

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """As in the reference manual: FLASH, DTCM, AXI_SRAM, ..."""
    kind: Literal["flash", "ram"]
    """``flash`` holds code and constants, ``ram`` data."""
    origin: int = Field(ge=0, lt=2**32)
    """First address."""
    size: Bytes
    """Bytes."""
    wait_states: int = Field(default=0, ge=0, le=32)
    """Extra cycles of a read at the board's clock that no cache or accelerator serves."""
    bus: Literal["ahb", "axi", "tcm"] = "ahb"
    """What connects it to the core; ``tcm`` is tightly coupled and never cached."""
    code_only: bool = False
    """For code and constants (ITCM): no variables are placed there."""

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.origin + self.size

    @model_validator(mode="after")
    def _within_the_address_space(self) -> "Memory":
        if self.end > 2**32:
            raise ValueError(
                f"found {self.name} from 0x{self.origin:x}, with {self.size} bytes; addresses end at 0xffffffff: lower "
                f"origin or size"
            )
        return self


class Cache(Settings):
    """Caches of the core or its flash interface."""

    instruction: int = Field(default=0, ge=0, le=1 << 20)
    """Bytes of instruction cache."""
    data: int = Field(default=0, ge=0, le=1 << 20)
    """Bytes of data cache."""
    line: int = Field(default=16, ge=4, le=256)
    """Bytes a line."""

    @field_validator("line")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"found {value}; lines have 4, 8, 16, ... 256 bytes")
        return value

    @model_validator(mode="after")
    def _whole_lines(self) -> "Cache":
        for key in ("instruction", "data"):
            if getattr(self, key) % self.line:
                raise ValueError(f"found {key} = {getattr(self, key)}, which is no multiple of line = {self.line}")
        return self


class Board(Settings):
    """A microcontroller: everything that generated code, linker script and cycle model need to know of it."""

    name: str
    """The file's stem."""
    title: str
    """As the manufacturer writes it."""
    source: str
    """Documents that the figures are from."""
    core: Core
    """The processor core."""
    dsp: bool
    """Whether the core has the DSP extension (SMLAD, SXTB16, ...)."""
    fpu: Literal["none", "fpv4-sp-d16", "fpv5-sp-d16", "fpv5-d16"]
    """The floating-point unit, as compilers name it."""
    clock: Hertz
    """Core clock in Hz, the fastest that the data sheet allows."""
    active_power_mw: float = Field(ge=1e-3, le=1e6)
    """Typical power in run mode at ``clock`` with peripherals off, in mW."""
    clock_setup: Literal["stm32f4", "stm32f7", "stm32h7"] | None = None
    """Which start-up code (``clock_<...>.c.j2``) brings the core to ``clock``; none leaves that to others."""
    openocd: str | None = None
    """OpenOCD's configuration file of the chip, which messages name: ``openocd -f interface/stlink.cfg -f <...>``."""
    pyocd_target: str | None = None
    """What pyOCD calls the chip: a built-in target, or a part number of a CMSIS pack."""
    cache: Cache = Cache()
    """Core caches (Cortex-M7) or the flash accelerator's (STM32F4)."""
    memory: tuple[Memory, ...] = Field(min_length=2)
    """Every memory region."""

    @model_validator(mode="after")
    def _regions_do_not_overlap(self) -> "Board":
        regions = sorted(self.memory, key=lambda region: region.origin)
        for low, high in pairwise(regions):
            if low.end > high.origin:
                raise ValueError(f"found memory {low.name} reaching into {high.name}; regions must not overlap")
        names = [region.name for region in regions]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"found memory {twice[0]} twice; give each region a name of its own")
        if not any(region.kind == "flash" for region in regions):
            raise ValueError("found no memory of kind 'flash'; one is needed for the code")
        if not any(region.kind == "ram" and not region.code_only for region in regions):
            raise ValueError("found no memory of kind 'ram' for variables; one is needed for the network's tensors")
        return self

    @property
    def flash(self) -> Memory:
        """The largest flash region: code and constants go there."""
        return max((region for region in self.memory if region.kind == "flash"), key=lambda region: region.size)

    @property
    def ram_banks(self) -> tuple[tuple[Memory, ...], ...]:
        """Runs of RAM regions that are contiguous in the address space, the largest run first.

        One buffer may lie across the regions of a run (64 kB DTCM + 240 kB SRAM1 + 16 kB SRAM2 on the STM32F746).
        """
        regions = [region for region in self.memory if region.kind == "ram" and not region.code_only]
        runs: list[list[Memory]] = []
        for region in sorted(regions, key=lambda region: region.origin):
            if runs and runs[-1][-1].end == region.origin:
                runs[-1].append(region)
            else:
                runs.append([region])
        return tuple(sorted((tuple(run) for run in runs), key=lambda run: -sum(region.size for region in run)))

    @property
    def sram_bytes(self) -> int:
        """Bytes of the largest contiguous run of RAM, which holds arena, data and stack."""
        return sum(region.size for region in self.ram_banks[0])

    @property
    def flash_bytes(self) -> int:
        """Bytes of the flash that code and constants go to."""
        return self.flash.size


def board_names(folder: Path = BOARDS) -> list[str]:
    """Names of the boards that have a file, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def read_board(name: str, folder: Path = BOARDS) -> Board:
    """The board that ``boards/<name>.toml`` describes.

    Raises:
        BuildError: there is no such file, or it is not valid.
    """
    names = board_names(folder)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"add {folder.name}/{name}.toml to describe a new one."
        raise BuildError(f"unknown board {name!r}; known boards: {', '.join(names)}; {hint}")
    return read_toml(folder / f"{name}.toml", Board, {"name": name})
