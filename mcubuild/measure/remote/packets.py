"""Packets of the GDB remote serial protocol: ``$<body>#<checksum>``.

Source: Debugging with GDB, appendix "Remote Protocol", "Overview": the checksum is the sum of the body's bytes modulo
256; ``}`` escapes the next byte, which is XORed with 0x20; in replies ``*`` and a count say how often the byte before
is repeated (count = repetitions + 29).
"""

from collections.abc import Iterator

_ESCAPE = 0x7D  # }
_REPEAT = 0x2A  # *
_SPECIAL = b"#$*}"


def frame(body: bytes) -> bytes:
    """The packet that carries ``body``, whose binary parts are escaped already."""
    return b"$%b#%02x" % (body, checksum(body))


def checksum(body: bytes) -> int:
    """The sum of the bytes modulo 256."""
    return sum(body) & 0xFF


def escape(data: bytes) -> bytes:
    """Binary data as it stands in a body (of ``X`` and ``vFlashWrite``); at most twice as long."""
    return b"".join(bytes((_ESCAPE, byte ^ 0x20)) if byte in _SPECIAL else bytes((byte,)) for byte in data)


def expand(body: bytes) -> bytes:
    """The content of a reply: escapes and repetitions undone.

    Raises:
        ValueError: the body ends within an escape or begins with a repetition.
    """
    content = bytearray()
    rest = iter(body)
    for byte in rest:
        if byte == _ESCAPE:
            content.append(_following(rest) ^ 0x20)
        elif byte == _REPEAT:
            if not content:
                raise ValueError("a repetition of nothing")
            content += bytes((content[-1],)) * (_following(rest) - 29)
        else:
            content.append(byte)
    return bytes(content)


def _following(rest: Iterator[int]) -> int:
    for byte in rest:
        return byte
    raise ValueError("an escape or repetition at the end")
