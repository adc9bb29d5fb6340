"""What the board's memories cost beyond the core's own cycles: wait states, the flash accelerator, caches.

A simple model: it knows which lines are in a cache, and charges a miss a fixed number of cycles. It leaves out
contention between instruction and data accesses, DMA, and the write-back of dirty lines; writes never stall. On the
Cortex-M7 the core waits for the whole line, though the word that it needs may come first, and each beat takes a core
cycle, though the STM32H7's AXI runs at half the core's clock: the two errors have opposite signs. The STM32F7's flash
accelerator serves only the ITCM bus, which generated firmware does not use, and is not modelled. Loads from the ITCM
itself are taken to be as fast as those from the DTCM: instructions come from Flash and do not compete. Figures without
any of this are ``zero_wait_cycles``.

Sources:
[RM0402] ST, STM32F412 reference manual, 3.4.2: flash lines of 128 bits, 64 of them cached for instructions and 8 for
         data, the least recently used out first; the next line is read ahead while one is executed; a line is cached
         if it was in none of these places when it was needed.
[M4]     Arm, Cortex-M4 TRM, DDI 0439B, 3.3.2: unaligned accesses are split in two or three; two is taken.
[M7]     Arm, Cortex-M7 Technical Reference Manual, DDI 0489F, 5.1: instruction cache two-way, data cache four-way.
[jnk0le] see cycles/m7.py: unaligned loads take 3 cycles more, stores none while the store buffer has room.
"""

from dataclasses import dataclass

from mcubuild.board import Board, Memory
from mcubuild.cores.core import core_of
from mcubuild.units import format_size

_AXI_BYTES = 8  # [M7] the AXI master is 64 bits wide
_AHB_BYTES = 4


@dataclass(frozen=True)
class CacheShape:
    """Lines that are kept close to the core."""

    line: int
    """Bytes a line."""
    sets: int
    ways: int
    """Lines a set."""
    prefetch: bool
    """Whether the next line is read while one is executed."""


@dataclass(frozen=True)
class Region:
    """One memory, as the core sees its timing."""

    name: str
    origin: int
    size: int
    stall: int
    """Cycles that a miss, or any access where nothing is cached, takes beyond the core's own."""
    cached: bool


@dataclass(frozen=True)
class MemorySystem:
    """Everything that delays an access."""

    instruction: CacheShape
    data: CacheShape
    regions: tuple[Region, ...]
    unaligned_load: int
    """Cycles that an unaligned load adds."""
    unaligned_store: int
    description: str
    """For reports: what is modelled."""


def memory_system(board: Board, caches_on: bool) -> MemorySystem:
    """The memory system of ``board``.

    Args:
        board: memories and caches.
        caches_on: whether the firmware has switched the core's caches on; of no effect where it has none, and its
            flash accelerator is taken to be on.
    """
    if core_of(board.core).caches:
        return _core_caches(board, caches_on)
    return _flash_accelerator(board)


def _flash_accelerator(board: Board) -> MemorySystem:
    cache = board.cache
    regions = tuple(
        Region(memory.name, memory.origin, memory.size, memory.wait_states, memory.kind == "flash")
        for memory in board.memory
    )
    waits = board.flash.wait_states
    if not any(region.stall for region in regions):
        description = "zero-wait memory"
    elif cache.instruction:
        lines = f"{format_size(cache.instruction)} of code, {format_size(cache.data)} of data"
        description = f"flash with {waits} wait states behind an accelerator ({lines})"
    else:
        description = f"flash with {waits} wait states, no accelerator"

    def shape(size: int) -> CacheShape:
        if not cache.instruction:
            return CacheShape(_AHB_BYTES, 1, 1, prefetch=False)
        return CacheShape(cache.line, 1, max(1, size // cache.line), prefetch=True)

    return MemorySystem(shape(cache.instruction), shape(cache.data), regions, 1, 1, description)


def _core_caches(board: Board, on: bool) -> MemorySystem:
    cache = board.cache

    def shape(size: int, ways: int) -> CacheShape:
        if not (on and size):
            return CacheShape(_AXI_BYTES, 1, 1, prefetch=False)
        return CacheShape(cache.line, size // cache.line // ways, ways, prefetch=False)

    def region(memory: Memory) -> Region:
        beats = cache.line // _AXI_BYTES if on and cache.instruction else 1
        stall = 0 if memory.bus == "tcm" else memory.wait_states + beats  # the core waits for the whole line
        return Region(memory.name, memory.origin, memory.size, stall, memory.bus != "tcm")

    regions = tuple(region(memory) for memory in board.memory)
    if on and cache.instruction:
        description = f"caches of {format_size(cache.instruction)} and {format_size(cache.data)}, flash with "
    else:
        description = "caches off, flash with "
    description += f"{board.flash.wait_states} wait states"
    return MemorySystem(shape(cache.instruction, 2), shape(cache.data, 4), regions, 3, 0, description)
