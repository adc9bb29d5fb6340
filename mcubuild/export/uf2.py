"""UF2, by Microsoft's "USB Flashing Format": blocks that a boot loader takes in any order, from a drive it shows."""

import struct

from mcubuild.errors import BuildError

_FIRST, _SECOND, _LAST = 0x0A32_4655, 0x9E5D_5157, 0x0AB1_6F30
"""Magic numbers."""
_WITH_FAMILY = 0x2000
_BYTES = 256
"""Of the image in a block, as all boot loaders take it."""


def uf2(image: bytes, origin: int, family: int) -> bytes:
    """The content of a file with ``image`` from the address ``origin`` on, for boot loaders that accept ``family``.

    Raises:
        BuildError: the image does not begin where a block may.
    """
    if origin % _BYTES:
        raise BuildError(
            f"the flash begins at 0x{origin:08X}, and blocks of UF2 at multiples of {_BYTES}; set origin in the file "
            f"of the board to one."
        )
    count = -(-len(image) // _BYTES)
    blocks = []
    for number in range(count):
        part = image[number * _BYTES :][:_BYTES].ljust(_BYTES, b"\0")
        head = (_FIRST, _SECOND, _WITH_FAMILY, origin + number * _BYTES, _BYTES, number, count, family)
        blocks.append(struct.pack("<8I", *head) + part.ljust(476, b"\0") + struct.pack("<I", _LAST))
    return b"".join(blocks)
