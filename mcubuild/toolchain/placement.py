"""Where in RAM the stack, the variables and the arena go, and which constants leave the Flash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcubuild.units import format_size

if TYPE_CHECKING:
    from mcubuild.board import Board, Memory

ALIGNMENT = 32
"""Bytes; arena, variables and stack are multiples of it, so that nothing is lost between them (a cache line, too)."""

_SPEED = {"tcm": 0, "axi": 1, "ahb": 2}


@dataclass(frozen=True)
class Bank:
    """A run of RAM regions with consecutive addresses, named after the first."""

    name: str
    regions: tuple[str, ...]
    origin: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Constant:
    """A layer's constants."""

    name: str
    """The C object, in a section ``.rodata.model_weights.<name>``."""
    size: int
    """Bytes."""
    reads: int
    """How often an inference reads them from the first to the last."""


@dataclass(frozen=True)
class FastConstants:
    """Constants in memory for code."""

    bank: Bank
    constants: tuple[str, ...]
    """Names of the C objects."""

    @property
    def start(self) -> int:
        """Their first address, which is not 0: in C, nothing lies there."""
        return self.bank.origin + ALIGNMENT


@dataclass(frozen=True)
class Placement:
    """The banks that the firmware's RAM sections go to."""

    static: Bank
    """Stack and variables, from its lowest address on."""
    arena: Bank
    """The arena; behind the variables if this is the same bank."""
    fast: FastConstants | None
    """What is copied out of the Flash."""
    reasons: tuple[str, ...]
    """The choice in words, one line each."""

    @property
    def banks(self) -> tuple[Bank, ...]:
        """The banks used, each once."""
        return (self.static,) if self.static == self.arena else (self.static, self.arena)

    @property
    def regions(self) -> tuple[Bank, ...]:
        """All that the linker script has to know besides the Flash."""
        return (*self.banks, self.fast.bank) if self.fast else self.banks


def place(board: "Board", static: int, arena: int, constants: Sequence[Constant] = ()) -> Placement:
    """Stack and variables in the fastest bank that holds them, then the arena in the fastest that has room left.

    What waits less comes first; of memories that wait as long, tightly coupled ones come before those on the AXI bus,
    and these before the AHB's; then the larger. An arena that fits nowhere is given to the largest bank, where the
    linker will find out by how much.

    An arena may lie across regions that touch. Arm leaves open what an unaligned access does that straddles the border
    of a tightly coupled memory (Cortex-M7 Technical Reference Manual, 2.4.2); aligned accesses are safe.

    Args:
        board: the board.
        static: bytes of stack and variables.
        arena: bytes of the arena.
        constants: the layers' constants, for memory that no variables go to.
    """
    banks = [_bank(run) for run in sorted(board.ram_banks, key=_slowness)]
    largest = max(banks, key=lambda bank: bank.size)
    first = next((bank for bank in banks if static <= bank.size), largest)
    room = {bank: bank.size - (static if bank == first else 0) for bank in banks}
    second = next((bank for bank in banks if arena <= room[bank]), largest)
    fast = _fast(board, constants)
    reasons = _reasons(banks, first, second, static, arena)
    if fast:
        reasons += (f"{fast.bank.name} has constants that no cache can keep while they are read again and again.",)
    return Placement(first, second, fast, reasons)


def _slowness(run: "tuple[Memory, ...]") -> tuple[int, int]:
    return max(region.wait_states for region in run), _SPEED[run[0].bus]


def _fast(board: "Board", constants: Sequence[Constant]) -> FastConstants | None:
    """Constants for the tightly coupled memory for code, where there is one: those whose reads from Flash cost most.

    What the data cache can hold is read from Flash once an inference, anything larger every time. Loops are short
    enough for the instruction cache, which makes constants the better use of that memory: with 16 kB on an STM32F746,
    code there saves 0.4 % of a keyword spotter's cycles, and these constants 5 %.
    """
    region = next((m for m in board.memory if m.code_only and m.bus == "tcm"), None)
    if region is None:
        return None
    bank = _bank((region,))
    chosen, room = [], bank.size - ALIGNMENT
    for constant in sorted(constants, key=lambda c: -c.reads if c.size > board.cache.data else -1):
        if constant.size <= room:
            chosen.append(constant.name)
            room -= constant.size
    return FastConstants(bank, tuple(chosen)) if chosen else None


def _bank(run: "tuple[Memory, ...]") -> Bank:
    names = tuple(region.name for region in run)
    return Bank(names[0], names, run[0].origin, sum(region.size for region in run))


def _reasons(banks: list[Bank], first: Bank, second: Bank, static: int, arena: int) -> tuple[str, ...]:
    lines = ["RAM, fastest first: " + "; ".join(f"{' + '.join(b.regions)} {format_size(b.size)}" for b in banks) + "."]
    lines.append(f"Stack and variables ({format_size(static)}) lie at the start of {first.name}.")
    if second == first:
        lines.append(f"The arena ({format_size(arena)}) follows them.")
    else:
        skipped = ", ".join(bank.name for bank in banks[: banks.index(second)])
        lines.append(f"The arena ({format_size(arena)}) lies in {second.name}: there is no room for it in {skipped}.")
    return tuple(lines)
