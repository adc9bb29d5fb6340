"""Registers that instructions read and write, above all where the decoder's own lists are wrong."""

from dataclasses import dataclass

import pytest

from mcubuild.measure.counter import Block
from mcubuild.measure.decode import Decoder
from mcubuild.measure.elf import read_firmware
from mcubuild.measure.emulator import Emulator
from mcubuild.measure.instruction import Instruction, Kind
from tests.measure.conftest import Build, board


@dataclass(frozen=True)
class Expected:
    kind: Kind
    results: str = ""
    sources: str = ""
    address: str = ""
    shifted: str = ""
    accumulators: str = ""
    base: str | None = None
    registers: int = 1
    offset: int | None = None


CASES = {
    "ldr r0, [r1, #4]": Expected(Kind.LOAD, "r0", address="r1", offset=4),
    "ldr r0, [r1], #4": Expected(Kind.LOAD, "r0", address="r1", base="r1", offset=0),
    "ldrsb r0, [r1, #1]!": Expected(Kind.LOAD, "r0", address="r1", base="r1", offset=1),
    "ldr.w r0, [r1, r2, lsl #2]": Expected(Kind.LOAD, "r0", address="r1 r2"),
    "str r0, [r1, r2]": Expected(Kind.STORE, sources="r0", address="r1 r2"),
    "strd r0, r1, [r2], #8": Expected(Kind.STORE_MANY, sources="r0 r1", address="r2", base="r2", registers=2, offset=0),
    "ldm r0!, {r1, r2, r3}": Expected(Kind.LOAD_MANY, "r1 r2 r3", address="r0", base="r0", registers=3),
    "push {r4, lr}": Expected(Kind.STORE_MANY, sources="r4 lr", address="sp", base="sp", registers=2),
    "pop {r4, pc}": Expected(Kind.LOAD_MANY, "r4 pc", address="sp", base="sp", registers=2),
    "vldm r0!, {s0-s2}": Expected(Kind.LOAD_MANY, "s0 s1 s2", address="r0", base="r0", registers=3),
    "vpush {d8}": Expected(Kind.STORE_MANY, sources="s16 s17", address="sp", base="sp", registers=2),
    "mla r0, r1, r2, r3": Expected(Kind.MULTIPLY_ADD, "r0", "r1 r2", accumulators="r3"),
    "smlad r0, r1, r2, r0": Expected(Kind.MULTIPLY_ADD, "r0", "r1 r2", accumulators="r0"),
    "smmlar r0, r1, r2, r3": Expected(Kind.MULTIPLY_ADD, "r0", "r1 r2", accumulators="r3"),
    "smull r0, r1, r2, r3": Expected(Kind.LONG_MULTIPLY, "r0 r1", "r2 r3"),
    "smlal r0, r1, r2, r3": Expected(Kind.LONG_MULTIPLY_ADD, "r0 r1", "r2 r3", accumulators="r0 r1"),
    "sxtb16 r0, r1, ror #8": Expected(Kind.BITS, "r0", "r1"),
    "sxtab r0, r1, r2": Expected(Kind.BITS, "r0", "r1", shifted="r2"),
    "pkhbt r0, r1, r2, lsl #16": Expected(Kind.BITS, "r0", "r1", shifted="r2"),
    "ssat r0, #8, r1, asr #3": Expected(Kind.BITS, "r0", shifted="r1"),
    "bfi r0, r1, #3, #4": Expected(Kind.BITS, "r0", "r0", shifted="r1"),
    "adds r0, r0, #1": Expected(Kind.ALU, "r0 flags", "r0"),
    "add.w r0, r1, r2, asr #31": Expected(Kind.ALU, "r0", "r1", shifted="r2"),
    "adc.w r0, r1, r2": Expected(Kind.ALU, "r0", "r1 r2 flags"),
    "movt r0, #1": Expected(Kind.ALU, "r0", "r0"),
    "cmp r0, r1": Expected(Kind.COMPARE, "flags", "r0 r1"),
    "asr.w r0, r1, r2": Expected(Kind.SHIFT, "r0", "r1 r2"),
    "sdiv r0, r1, r2": Expected(Kind.DIVIDE, "r0", "r1 r2"),
    "bl model_invoke": Expected(Kind.BRANCH, "lr pc"),
    "bx lr": Expected(Kind.BRANCH_REGISTER, "pc", "lr"),
    "mov pc, r0": Expected(Kind.BRANCH_REGISTER, "pc", "r0"),
    "vmov r0, s1": Expected(Kind.FLOAT_MOVE, "r0", "s1"),
    "vmov r0, r1, s2, s3": Expected(Kind.FLOAT_MOVE, "r0 r1", "s2 s3", registers=2),
    "vfma.f32 s0, s1, s2": Expected(Kind.FLOAT_MULTIPLY_ADD, "s0", "s1 s2", accumulators="s0"),
}


@pytest.fixture(scope="module")
def decoded(build: Build) -> dict[str, Instruction]:
    firmware = read_firmware(build(core="cortex-m7", assembly="\n".join(CASES)))
    emulator = Emulator(board("cortex-m7"), firmware, [])
    decoder = Decoder("cortex-m7", emulator.read)
    address = firmware.symbol("layer_00_asm").address
    found = {}
    for text in CASES:
        wide = emulator.read(address + 1, 1)[0] >> 3 in (0b11101, 0b11110, 0b11111)
        (found[text],) = decoder.instructions(Block(address, 4 if wide else 2))
        address += found[text].size
    return found


@pytest.mark.parametrize("text", CASES)
def test_roles(decoded: dict[str, Instruction], text: str) -> None:
    instruction, expected = decoded[text], CASES[text]
    assert instruction.kind is expected.kind
    assert instruction.results == set(expected.results.split())
    assert instruction.sources == set(expected.sources.split())
    assert instruction.address_sources == set(expected.address.split())
    assert instruction.shifted == set(expected.shifted.split())
    assert instruction.accumulators == set(expected.accumulators.split())
    assert instruction.base_update == expected.base
    assert instruction.registers == expected.registers
    if expected.kind in (Kind.LOAD, Kind.STORE, Kind.STORE_MANY):
        assert instruction.offset == expected.offset
