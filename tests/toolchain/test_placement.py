"""What goes where in RAM."""

from typing import Any

import pytest

from mcubuild.board import read_board
from mcubuild.toolchain.placement import Constant, place
from tests.toolchain.handwritten import board_with

KB = 1024


def test_everything_in_tightly_coupled_memory_while_it_fits() -> None:
    placement = place(read_board("stm32h743"), 2 * KB, 126 * KB)
    assert [bank.name for bank in placement.banks] == ["DTCM"]


def test_a_larger_arena_moves_to_the_next_faster_memory_alone() -> None:
    placement = place(read_board("stm32h743"), 2 * KB, 126 * KB + 1)
    assert (placement.static.name, placement.arena.name) == ("DTCM", "AXI_SRAM")
    assert placement.arena.size == 512 * KB
    assert "no room for it in DTCM" in placement.reasons[-1]


def test_regions_that_touch_are_one_bank() -> None:
    placement = place(read_board("stm32f746"), 2 * KB, 300 * KB)
    assert placement.static == placement.arena
    assert placement.arena.regions == ("DTCM", "SRAM1", "SRAM2")
    assert (placement.arena.origin, placement.arena.size) == (0x2000_0000, 320 * KB)


def test_no_data_in_memory_for_code() -> None:
    for name in ("stm32f746", "stm32f765", "stm32h743"):
        assert all("ITCM" not in bank.regions for bank in place(read_board(name), KB, KB).banks)


def ram(name: str, origin: int, size: str, bus: str) -> dict[str, Any]:
    return {"name": name, "kind": "ram", "origin": origin, "size": size, "wait_states": 0, "bus": bus}


@pytest.mark.parametrize(
    ("arena", "place_of_arena"),
    [(4 * KB, "FAST"), (8 * KB, "MIDDLE"), (30 * KB, "LARGE_SLOW"), (100 * KB, "LARGE_SLOW")],
)
def test_the_fastest_memory_with_room_left(arena: int, place_of_arena: str) -> None:
    board = board_with(
        "cortex-m7",
        memory=[
            {"name": "FLASH", "kind": "flash", "origin": 0x0800_0000, "size": "64kB", "wait_states": 0},
            ram("SMALL_SLOW", 0x1000_0000, "4kB", "ahb"),
            ram("FAST", 0x2000_0000, "6kB", "tcm"),
            ram("MIDDLE", 0x2100_0000, "8kB", "axi"),
            ram("LARGE_SLOW", 0x3000_0000, "32kB", "ahb"),
        ],
    )
    placement = place(board, 2 * KB, arena)
    assert (placement.static.name, placement.arena.name) == ("FAST", place_of_arena)


def test_memory_that_waits_is_the_last() -> None:
    """Whatever its size: external RAM is large."""
    slow = {**ram("PSRAM", 0x3000_0000, "8MB", "ahb"), "wait_states": 20}
    flash = {"name": "FLASH", "kind": "flash", "origin": 0x0800_0000, "size": "64kB", "wait_states": 0}
    board = board_with("cortex-m4", memory=[flash, ram("SRAM", 0x2000_0000, "128kB", "ahb"), slow])
    assert [bank.name for bank in place(board, 2 * KB, 100 * KB).banks] == ["SRAM"]
    assert [bank.name for bank in place(board, 2 * KB, 127 * KB).banks] == ["SRAM", "PSRAM"]


def test_constants_that_no_cache_keeps_go_to_the_memory_for_code() -> None:
    """The most read come first; of those that the cache of 4 kB holds, reads do not count. 16 kB, all but address 0."""
    constants = [
        Constant("small", 2 * KB, 500),
        Constant("rare", 6 * KB, 10),
        Constant("large", 20 * KB, 1000),
        Constant("frequent", 8 * KB, 100),
        Constant("other", 2 * KB, 1),
    ]
    fast = place(read_board("stm32f746"), KB, KB, constants).fast
    assert fast is not None
    assert (fast.bank.name, fast.start) == ("ITCM", 32)
    assert fast.constants == ("frequent", "rare")
    assert place(read_board("stm32f412"), KB, KB, constants).fast is None
    assert place(read_board("stm32f746"), KB, KB, constants[2:3]).fast is None
