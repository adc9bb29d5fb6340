"""Intel HEX, by Intel's "Hexadecimal Object File Format Specification", revision A (1988)."""

_BYTES = 16
"""Of a record."""
_DATA, _END, _LINEAR = 0, 1, 4
"""Types of records: bytes, the end of the file, and the upper 16 bits of the addresses that follow."""


def intel_hex(image: bytes, origin: int) -> str:
    """The text of a file with ``image`` from the address ``origin`` on.

    Raises:
        ValueError: it does not end within 32 bits of address.
    """
    if origin < 0 or origin + len(image) > 2**32:
        raise ValueError(f"{len(image)} bytes from 0x{origin:x} end beyond 32 bits of address")
    lines, upper, address = list[str](), None, origin
    while address < origin + len(image):
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(_record(_LINEAR, 0, upper.to_bytes(2, "big")))
        end = min(address + _BYTES, (upper + 1) << 16, origin + len(image))  # none crosses 64 kB
        lines.append(_record(_DATA, address & 0xFFFF, image[address - origin : end - origin]))
        address = end
    return "\n".join([*lines, _record(_END, 0, b""), ""])


def _record(kind: int, offset: int, content: bytes) -> str:
    body = bytes([len(content), *offset.to_bytes(2, "big"), kind]) + content
    return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}"
