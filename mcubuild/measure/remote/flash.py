"""The flash of a target, as a GDB server describes it.

Source: Debugging with GDB, "Memory Map Format": flash has to be erased by whole blocks before it is written.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcubuild.errors import BuildError


@dataclass(frozen=True)
class FlashRegion:
    """Flash with blocks of one size."""

    addresses: range
    block: int
    """Bytes that are erased together."""


def flash_regions(document: str) -> list[FlashRegion]:
    """The regions of type ``flash`` in a memory map.

    Raises:
        BuildError: it is no memory map.
    """
    try:
        regions = []
        for memory in ElementTree.fromstring(document).iter("memory"):
            if memory.get("type") == "flash":
                start, length = int(memory.get("start", ""), 0), int(memory.get("length", ""), 0)
                size = next(p.text or "" for p in memory.iter("property") if p.get("name") == "blocksize")
                regions.append(FlashRegion(range(start, start + length), int(size, 0)))
    except (ElementTree.ParseError, StopIteration, ValueError) as error:
        raise BuildError(f"the GDB server's memory map cannot be understood ({error or 'no blocksize'}).") from None
    return regions


def blocks(regions: Sequence[FlashRegion], parts: Iterable[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """What to erase before ``parts`` are written: runs of blocks as (address, bytes), ascending, none twice.

    Args:
        regions: the flash.
        parts: (address, data); what lies outside of the flash needs no erasing.
    """
    wanted = set()
    for address, data in parts:
        for region in regions:
            first, last = max(address, region.addresses.start), min(address + len(data), region.addresses.stop)
            for block in range(region.addresses.start, region.addresses.stop, region.block):
                if first < block + region.block and block < last:
                    wanted.add((block, region.block, region.addresses.start))
    runs: list[tuple[int, int]] = []
    before = None
    for start, size, region_start in sorted(wanted):
        if before == region_start and sum(runs[-1]) == start:
            runs[-1] = (runs[-1][0], runs[-1][1] + size)
        else:
            runs.append((start, size))
        before = region_start
    return runs
