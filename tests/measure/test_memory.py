"""Caches and wait states, on code whose misses can be counted by hand."""

import numpy as np
import pytest

from mcubuild.board import Board, Cache, CoreName
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.memory import memory_system
from mcubuild.measure.profile import Profile
from mcubuild.measure.runner import measure
from mcubuild.measure.session import Session
from mcubuild.spec.measure import MeasureSettings
from tests.measure.conftest import Build, board

SAMPLE = np.zeros(16, np.int8)
WAITS = 5


def profiled(build: Build, chip: Board, body: str) -> Profile:
    session = Session(chip, read_firmware(build(core=chip.core, assembly=body)), ["layer_00_asm"])
    session.infer(SAMPLE, "in a test")
    return session.profile(SAMPLE)


def chip(core: CoreName, waits: int = WAITS, **cache: int) -> Board:
    ordinary = board(core)
    flash = ordinary.memory[0].model_copy(update={"wait_states": waits})
    return ordinary.model_copy(update={"memory": (flash, *ordinary.memory[1:]), "cache": Cache(**cache)})


READ_128_WORDS_TWICE = """
    movs r3, #2
    1:
    ldr r0, =0x08010000
    mov r2, #128
    2:
    ldr r1, [r0], #4
    subs r2, r2, #1
    bne 2b
    subs r3, r3, #1
    bne 1b
    bx lr
"""


def waited_for_words(profile: Profile) -> int:
    """Data stalls of the load that reads the 128 words."""
    return max(place.data_stalls for place in profile.places.values() if place.memory == "FLASH")


def test_flash_without_accelerator_waits_for_every_word(build: Build) -> None:
    assert waited_for_words(profiled(build, chip("cortex-m4"), READ_128_WORDS_TWICE)) == 2 * 128 * WAITS


def test_data_lines_of_the_accelerator(build: Build) -> None:
    """Lines of 16 bytes: one miss in four words; 128 words do not fit in 8 lines, but in 32."""
    small = chip("cortex-m4", instruction=1024, data=128, line=16)
    large = chip("cortex-m4", instruction=1024, data=1024, line=16)
    assert waited_for_words(profiled(build, small, READ_128_WORDS_TWICE)) == 2 * 32 * WAITS
    assert waited_for_words(profiled(build, large, READ_128_WORDS_TWICE)) == 32 * WAITS


def test_instruction_lines_of_the_accelerator(build: Build) -> None:
    """A loop that fits costs its misses once; one that does not, in every round; sequential lines are read ahead."""
    settings = {"instruction": 256, "data": 128, "line": 16}

    def stalls(instructions: int, rounds: int) -> int:
        body = (
            f"movs r2, #{rounds}\n .balign 16\n 1:\n"
            + "add.w r3, r3, #1\n" * instructions
            + "subs r2, #1\n bne.w 1b\n bx lr"
        )
        return int(profiled(build, chip("cortex-m4", **settings), body).layer_stalls[0])

    assert stalls(16, 20) == stalls(16, 10), "a loop of 5 lines fits in 16"
    per_round = (stalls(200, 20) - stalls(200, 10)) / 10
    # 50 lines follow the branch target in sequence; each is read while the four instructions before it are executed
    assert per_round == pytest.approx(50 * (WAITS + 1 - 4), abs=2 * WAITS)


def test_core_caches(build: Build) -> None:
    """Cortex-M7: lines of 32 bytes, 4 beats each; off unless the firmware switches them on."""
    cached = chip("cortex-m7", instruction=4096, data=4096, line=32)
    switch_on = "ldr r0, =0xE000ED14\n ldr r1, =0x30000\n str r1, [r0]\n"
    session = Session(cached, read_firmware(build(core="cortex-m7", assembly=switch_on + READ_128_WORDS_TWICE)), [])
    session.infer(SAMPLE, "in a test")  # switches the caches on
    assert waited_for_words(session.profile(SAMPLE)) == 16 * (WAITS + 4)
    assert waited_for_words(profiled(build, cached, READ_128_WORDS_TWICE)) == 2 * 128 // 2 * (WAITS + 1)


def test_tightly_coupled_memory_never_waits() -> None:
    tight = chip("cortex-m7")
    memory = tuple(region.model_copy(update={"bus": "tcm"}) for region in tight.memory)
    system = memory_system(tight.model_copy(update={"memory": memory}), caches_on=True)
    assert [region.stall for region in system.regions] == [0, 0]


def test_loads_from_two_memories_do_not_pipeline_on_the_m4(build: Build) -> None:
    """Alternating between flash and RAM costs a cycle a load more than staying in one."""

    def cycles(second: str) -> float:
        loads = "ldr.w r2, [r0]\n ldr.w r3, [r1]\n" * 8
        body = f"ldr r0, =buffer\n ldr r1, ={second}\n .balign 4\n {loads} bx lr"
        no_wait = chip("cortex-m4", waits=0)
        result = measure(build(assembly=body), no_wait, MeasureSettings(), SAMPLE[None], ["layer_00_asm"])
        assert result.cycles is not None
        return result.cycles.mean

    assert cycles("0x08010000") - cycles("buffer") == 15


def test_unaligned_loads_take_longer(build: Build) -> None:
    def waited(core: CoreName, offset: int) -> int:
        body = f"ldr r0, =buffer + {offset}\n" + "ldr r1, [r0]\n" * 10 + "bx lr"
        return int(profiled(build, chip(core, waits=0), body).layer_stalls[0])

    assert waited("cortex-m4", 1) - waited("cortex-m4", 4) == 10


def test_stalls_of_layers_and_functions_are_those_of_the_inference(build: Build) -> None:
    inputs = np.arange(48, dtype=np.int8).reshape(3, 16)
    layers = ["layer_00_widen", "layer_01_mix", "layer_02_sum"]
    result = measure(build("model.c", "cortex-m4"), board("cortex-m4"), MeasureSettings(), inputs, layers)
    assert result.cycles is not None and result.zero_wait_cycles is not None
    assert result.cycles.mean > result.zero_wait_cycles
    for shares in ([*result.layers, result.outside_layers], result.functions):
        total = sum(share.cycles for share in shares if share.cycles is not None)
        assert total == pytest.approx(result.cycles.mean, rel=1e-12)
    assert "flash with 3 wait states behind an accelerator" in result.cycle_model
