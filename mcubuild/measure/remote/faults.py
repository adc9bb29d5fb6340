"""Why a firmware ended in its fault handler: the function, the layer, and what the core says about it.

Source: Armv7-M Architecture Reference Manual, B1.5.6 (the frame that an exception stacks: r0 to r3, r12, lr, return
address, xPSR) and B3.2.15 (CFSR).
"""

import struct
from collections.abc import Collection

from mcubuild.errors import BuildError
from mcubuild.measure.elf import Firmware
from mcubuild.measure.remote.target import Target

_CFSR = 0xE000_ED28
_CAUSES = {
    25: "division by zero",
    24: "an unaligned access that the core does not do (LDRD, LDM, STM, VLDR, ...)",
    19: "the floating-point unit is off or missing",
    18: "a wrong return from an exception",
    17: "a jump to code that is not Thumb",
    16: "an instruction that the core does not have",
    12: "the stack lies outside of memory",
    11: "the stack lies outside of memory",
    10: "a write to where no memory is",
    9: "an access to where no memory is",
    8: "a jump to where no memory is",
    4: "the stack lies in forbidden memory",
    1: "an access to forbidden memory",
    0: "a jump to forbidden memory",
}
_FRAME = struct.Struct("<8I")


def explain(target: Target, firmware: Firmware, layers: Collection[str]) -> str:
    """The fault that a core which halted at its fault handler has met.

    Args:
        target: halted at the handler's first instruction.
        firmware: what it runs.
        layers: names of the layers' C functions.
    """
    stack = target.register("sp")
    bottom, top = (firmware.symbol(f"__stack_{end}").address for end in ("bottom", "top"))
    if not bottom <= stack <= top - _FRAME.size:
        return f"faults with the stack pointer at 0x{stack:08x}, outside of the stack; raise [firmware] stack"
    words = struct.unpack(f"<{(top - stack) // 4}I", target.read(stack, (top - stack) // 4 * 4))
    caller, address = words[5], words[6] & ~1
    function = firmware.function_at(address)
    # Code addresses on the stack are returns into the functions that are being executed, the innermost first.
    outer = [firmware.function_at(word & ~1) for word in (caller, *words[8:]) if word & 1]
    layer = next((name for name in (function, *outer) if name in layers), None)
    within = f", within {layer}" if layer not in (None, function) else ""
    cause = _cause(target)
    return f"faults in {function} at 0x{address:08x}{within}{f': {cause}' if cause else ''}"


def _cause(target: Target) -> str | None:
    try:
        status = int.from_bytes(target.read(_CFSR, 4), "little")
    except BuildError:
        return None  # a Cortex-M0+ has no such register
    return next((cause for bit, cause in _CAUSES.items() if status >> bit & 1), None)
