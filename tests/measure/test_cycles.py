"""Cycle models against loops whose time on silicon is known."""

from dataclasses import dataclass

import numpy as np
import pytest

from mcubuild.board import CoreName
from mcubuild.measure.result import Measurement
from mcubuild.measure.runner import measure
from mcubuild.spec.measure import MeasureSettings
from tests.measure.conftest import Build, board


@dataclass(frozen=True)
class Loop:
    """A loop's body without counter and branch, and the cycles of one round with them."""

    body: str
    m4: float
    m7: float
    setup: str = ""


def run(build: Build, core: CoreName, body: str, inputs: tuple[int, ...] = (0,)) -> Measurement:
    """The body as layer, on a board whose memories never wait; each input is the first byte of a sample."""
    ordinary = board(core)
    memory = tuple(region.model_copy(update={"wait_states": 0, "bus": "tcm"}) for region in ordinary.memory)
    zero_wait = ordinary.model_copy(update={"memory": memory})
    samples = np.zeros((len(inputs), 16), np.int8)
    samples[:, 0] = inputs
    return measure(build(core=core, assembly=body), zero_wait, MeasureSettings(), samples, ["layer_00_asm"])


def cycles_a_round(build: Build, core: CoreName, loop: Loop) -> float:
    """Cycles of a round of the loop: the difference between 50 and 100 rounds."""
    result = run(
        build,
        core,
        f"""
            push {{r4-r11, lr}}
            ldr r0, =model_input
            ldrb r12, [r0]
            ldr r0, =buffer
            mov r1, r0
            {loop.setup}
            .balign 8
        1:
            {loop.body}
            subs.w r12, r12, #1
            bne.w 1b
            pop {{r4-r11, pc}}
        """,
        (50, 100),
    )
    assert result.cycles is not None
    return (result.cycles.max - result.cycles.min) / 50


# subs + bne on the M4: 1 + (1 + P), P = 1 for an aligned target; on the M7 they pair.
LOOPS = {
    "empty": Loop("", m4=3, m7=1),
    "alu": Loop("add.w r2, r2, #1\n add.w r3, r3, #1\n add.w r4, r4, #1\n add.w r5, r5, #1", m4=7, m7=3),
    "alu_chain": Loop("eor.w r2, r2, r3\n" * 4, m4=7, m7=5),
    "load_alone": Loop("ldr.w r2, [r0]\n add.w r3, r3, #1", m4=6, m7=2),
    "loads_pipeline": Loop(
        "ldr.w r2, [r0]\n ldr.w r3, [r0, #4]\n ldr.w r4, [r0, #8]\n ldr.w r5, [r0, #12]", m4=8, m7=3
    ),
    "load_chain": Loop("ldr.w r2, [r2]\n ldr.w r2, [r2]", m4=7, m7=6, setup="str r0, [r0]\n mov r2, r0"),
    "load_then_store": Loop("ldr.w r2, [r0]\n str.w r2, [r0, #4]", m4=6, m7=2),
    "store_then_load": Loop("str.w r2, [r0]\n ldr.w r3, [r0, #4]", m4=7, m7=2),
    "stores": Loop("str.w r2, [r0]\n str.w r3, [r0, #4]", m4=5, m7=3),
    "store_register_offset": Loop("str.w r2, [r0, r3]", m4=5, m7=2, setup="movs r3, #4"),
    "address_from_alu": Loop("and.w r2, r3, #4\n ldr.w r4, [r0, r2]", m4=7, m7=4),
    "multiply_chain": Loop("mul r2, r2, r3\n" * 4, m4=7, m7=8),
    "accumulate_chain": Loop("smlad r2, r3, r4, r2\n" * 4, m4=7, m7=5),
    "long_accumulate_chain": Loop("smlal r2, r5, r3, r4\n" * 4, m4=7, m7=5),
    "load_to_multiply": Loop("ldr.w r2, [r0]\n smlad r3, r2, r4, r3", m4=6, m7=4),
    "load_to_alu": Loop("ldr.w r2, [r0]\n add.w r3, r3, r2", m4=6, m7=3),
    "load_to_extension": Loop("ldr.w r2, [r0]\n sxtb16 r3, r2, ror #8", m4=6, m7=3),
    "load_to_shifter": Loop("ldr.w r2, [r0]\n add.w r3, r3, r2, lsl #2", m4=6, m7=4),
    "load_to_extend_and_add": Loop("ldr.w r2, [r0]\n sxtab16 r3, r4, r2", m4=6, m7=4),
    "byte_to_alu": Loop("ldrb.w r2, [r0]\n add.w r3, r3, r2", m4=6, m7=4),
    "loads_of_one_bank": Loop("ldr.w r2, [r0]\n ldr.w r3, [r1, #8]", m4=6, m7=3),
    "loads_of_two_banks": Loop("ldr.w r2, [r0]\n ldr.w r3, [r1, #4]", m4=6, m7=2),
    "extension_is_older": Loop("sxtb16 r2, r3\n sxtb16 r4, r5\n smlad r6, r7, r8, r6", m4=6, m7=3),
    "branch_joins_target": Loop("adds r2, #1\n adds r3, #1\n adds r4, #1", m4=6, m7=2.5),
    "push_pop": Loop("push.w {r2, r3, r4, r5}\n pop.w {r2, r3, r4, r5}", m4=13, m7=5),
    "divide": Loop("sdiv r2, r3, r4", m4=10, m7=8, setup="movs r4, #3"),
    "it_folds": Loop("adds r2, #1\n it eq\n moveq r3, r4", m4=5, m7=2.5),
    "float_registers": Loop("vmov s0, r2\n vmov s1, r3", m4=5, m7=2),
}


@pytest.mark.parametrize("name", LOOPS)
def test_m4(build: Build, name: str) -> None:
    assert cycles_a_round(build, "cortex-m4", LOOPS[name]) == LOOPS[name].m4


@pytest.mark.parametrize("name", LOOPS)
def test_m7(build: Build, name: str) -> None:
    assert cycles_a_round(build, "cortex-m7", LOOPS[name]) == LOOPS[name].m7


# The inner loop of a pointwise convolution, 4 pixels x 2 channels, 16 MACs of int16 pairs: r0 activations, r1 weights.
POINTWISE = """
    {nop}
    ldr.w r10, [r1], #8
    ldr.w r3, [r0, #4]
    ldr.w r4, [r0, #8]
    ldr.w r2, [r0], #16
    smlad r5, r2, r10, r5
    smlad r6, r3, r10, r6
    smlad r7, r4, r10, r7
    smlad r8, r2, r10, r8
    ldr r11, [r1, #-4]
    ldr lr, [r0, #-4]
    smlad r5, r2, r11, r5
    smlad r6, r3, r11, r6
    smlad r7, r4, r11, r7
    smlad r8, lr, r11, r8
"""


def test_m4_pointwise_floor(build: Build) -> None:
    """4 LDR, 4 SMLAD, 2 LDR, 4 SMLAD: 16 cycles for 16 MACs, 1.0 a MAC, and 3 for the end of the loop."""
    assert cycles_a_round(build, "cortex-m4", Loop(POINTWISE.format(nop=""), 0, 0)) == 16 + 3


def test_m4_wide_loads_off_a_word_boundary_do_not_pipeline(build: Build) -> None:
    """One NOP that moves them costs 3 + 1 cycles and itself, as measured on silicon (1.11 -> 1.33 cycles a MAC)."""
    assert cycles_a_round(build, "cortex-m4", Loop(POINTWISE.format(nop="nop"), 0, 0)) == 16 + 4 + 1 + 3


def test_m7_pointwise_floor(build: Build) -> None:
    """Each SMLAD pairs with a load: 8 cycles for 16 MACs, 0.5 a MAC, where loads run ahead of their use."""
    ahead = """
        smlad r5, r2, r10, r5
        ldr.w r4, [r0, #8]
        smlad r6, r3, r10, r6
        ldr.w r11, [r1, #4]
        smlad r7, r4, r10, r7
        ldr.w lr, [r0, #12]
        smlad r8, r2, r10, r8
        ldr.w r10, [r1], #8
        smlad r5, r2, r11, r5
        ldr.w r2, [r0], #16
        smlad r6, r3, r11, r6
        ldr.w r3, [r0, #4]
        smlad r7, r4, r11, r7
        add.w r9, r9, #1
        smlad r8, lr, r11, r8
    """
    assert cycles_a_round(build, "cortex-m7", Loop(ahead, 0, 0)) == 8 + 1


def test_m7_mispredicts_the_rarer_way(build: Build) -> None:
    """A branch that alternates is wrong half of the time; one that always goes the same way, never."""

    def body(mask: int) -> Loop:
        return Loop(f"tst.w r12, #{mask}\n beq.w 2f\n add.w r2, r2, #1\n add.w r3, r3, #1\n 2:", 0, 0)

    alternating = cycles_a_round(build, "cortex-m7", body(1))
    steady = cycles_a_round(build, "cortex-m7", body(0x80))
    assert 3 <= alternating - steady <= 5


def test_m0plus_table(build: Build) -> None:
    """DDI 0484C: load or store 2, ALU 1, taken branch 2, BL 3, PUSH 1 + N, POP with the PC 3 + N."""
    result = run(
        build,
        "cortex-m0plus",
        """
        push {r4, lr}
        movs r2, #100
        ldr r0, =buffer
    1:  ldr r1, [r0]
        str r1, [r0]
        adds r1, #1
        subs r2, #1
        bne 1b
        pop {r4, pc}
        """,
    )
    wrapper = 3 + 3 + 5 - 1  # PUSH, BL, POP; the refill of the return to main is behind the end of the measurement
    assert result.zero_wait_cycles == wrapper + 3 + 1 + 2 + 100 * (2 + 2 + 1 + 1 + 2) - 1 + 5
