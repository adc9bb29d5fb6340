"""The second stage that an RP2040's boot ROM wants at the beginning of the flash.

The ROM copies 256 bytes to RAM and runs them if their last word is the checksum of the others. Flash is not readable as
memory before they have set up the serial interface (SSI) behind it.

Sources:
[RP2040] Raspberry Pi, RP2040 data sheet, 2.8.1.3.1 (checksum), 2.8.2 (second stage), 4.10.13 (registers of the SSI).
"""

import struct
from typing import Final

from mcubuild.board import SECOND_STAGE_BYTES

ASSEMBLY: Final = """
    ldr     r3, =0x18000000     @ the SSI
    movs    r1, #0
    str     r1, [r3, #0x08]     @ SSIENR: off while it is set up
    movs    r1, #4
    str     r1, [r3, #0x14]     @ BAUDR: a quarter of the core's clock
    ldr     r1, =0x001F0300
    str     r1, [r3, #0x00]     @ CTRLR0: one wire, 32 bits a frame, send first, then receive
    ldr     r1, =0x03000218
    ldr     r0, =0x180000F4
    str     r1, [r0]            @ SPI_CTRLR0: the command 03h (read) in 8 bits, the address in 24
    movs    r1, #0
    str     r1, [r3, #0x04]     @ CTRLR1: one frame a read
    movs    r1, #1
    str     r1, [r3, #0x08]     @ SSIENR: on, the flash is memory now
    ldr     r0, =0x10000100     @ the vector table
    ldr     r1, =0xE000ED08
    str     r0, [r1]            @ VTOR
    ldr     r1, [r0]
    ldr     r2, [r0, #4]
    msr     msp, r1
    bx      r2                  @ Reset_Handler
    .pool
"""
"""What _CODE is, for the Cortex-M0+: every serial flash knows 03h, at up to 33 MHz or more (133 MHz / 4)."""
_CODE: Final = (
    0x21004B0A,
    0x21046099,
    0x49096159,
    0x49096019,
    0x60014809,
    0x60592100,
    0x60992101,
    0x49084807,
    0x68016008,
    0xF3816842,
    0x47108808,
    0x18000000,
    0x001F0300,
    0x03000218,
    0x180000F4,
    0x10000100,
    0xE000ED08,
)
_POLYNOMIAL: Final = 0x04C11DB7


def second_stage() -> tuple[int, ...]:
    """The 64 words that lie in front of the vector table."""
    code = struct.pack(f"<{len(_CODE)}I", *_CODE).ljust(SECOND_STAGE_BYTES - 4, b"\0")
    return struct.unpack(f"<{SECOND_STAGE_BYTES // 4}I", code + struct.pack("<I", checksum(code)))


def checksum(data: bytes) -> int:
    """The boot ROM's: CRC-32 with the most significant bit first, from 0xFFFFFFFF on, not inverted [RP2040]."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = remainder << 1 ^ (_POLYNOMIAL if remainder >> 31 else 0)
            remainder &= 0xFFFFFFFF
    return remainder
