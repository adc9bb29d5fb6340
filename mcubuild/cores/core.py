"""What a core is, and the cores by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from mcubuild.cores import names


@dataclass(frozen=True)
class QemuMachine:
    """A machine of QEMU."""

    name: str
    core: str
    """What QEMU says of it."""
    flash: tuple[int, int]
    """First address and bytes."""
    ram: tuple[int, int]


@dataclass(frozen=True)
class Core:
    """A processor core."""

    zig: str
    """What zig's ``-mcpu`` calls it."""
    emulator: str
    """Unicorn's constant."""
    machine: QemuMachine | None
    """Where QEMU runs firmware that is too large for its STM32F405; ``None``: nowhere."""
    cycle_model: str | None
    """Module of ``mcubuild.measure.cycles``; ``None``: only instructions are counted."""
    fpus: tuple[str, ...] = ()
    """Floating-point units that chips may have with it, as compilers name them; all may be without."""
    dsp: bool = False
    """Whether it may have the DSP extension."""
    issues: Literal[1, 2] = 1
    """Instructions a cycle at the most."""
    caches: bool = False
    """Whether it has caches of its own, which firmware switches on."""
    cycle_counter: bool = True
    """Whether its debug unit counts cycles."""
    armv8m: bool = False
    """Whether it has the instructions of Armv8-M, with the DSP extension as an option."""
    board: str | None = None
    """What its ``costs`` are fitted on; ``None``: it has none of its own."""
    like: str | None = None
    """The core whose costs it takes, if it has none of its own,"""
    times: float = 1.0
    """and its cycles relative to that one's."""


@cache
def cores() -> Mapping[str, Core]:
    """All cores, by name: ``CORE`` of each module."""
    modules = {one.name.replace("_", "-"): one.name for one in iter_modules([str(Path(__file__).parent)])}
    return {name: import_module(f"mcubuild.cores.{modules[name]}").CORE for name in names()}


def core_of(name: str) -> Core:
    """The core called ``name``."""
    return cores()[name]
