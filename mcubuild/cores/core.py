"""What a core is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Costs: TypeAlias = Mapping[str, Mapping[str, float]]
"""Cycles by kernel's kind, or by what several kernels have in common, and by feature of the kernel's work.

``python -m tests.engine.calibrate`` fits them to emulated runs of generated C, compiled with zig's clang at -O2, on a
board with its Flash wait states and caches: most layers come out within 10 %, portable ones on maps of a few pixels
within 40 %,
operators that only files have (in portable C) within 20 % for two of three; whole networks:
``mcubuild/engine/estimates.jsonl``.

Guesses are those of operators that only files from elsewhere have and that were not measured: ``arg_max``, ``gather``,
``l2_normalize``, ``log_softmax``, ``matmul``, ``normalize``, ``reduce_max``, ``rescale``, ``sigmoid``,
``wide_softmax``; and all those of 16-bit activations.
"""


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
    issues: Literal[1, 2] = 1
    """Instructions a cycle at the most."""
    caches: bool = False
    """Whether it has caches of its own, which firmware switches on."""
    cycle_counter: bool = True
    """Whether its debug unit counts cycles."""
    armv8m: bool = False
    """Whether it has the instructions of Armv8-M, with the DSP extension as an option."""
    board: str | None = None
    """What its costs are fitted on; ``None``: it has none of its own."""
    costs: Costs = field(default_factory=dict)
    """Fitted by ``python -m tests.engine.calibrate``."""
    like: str | None = None
    """The core whose costs it takes, if it has none of its own,"""
    times: float = 1.0
    """and its cycles relative to that one's."""
