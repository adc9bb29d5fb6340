"""The frames that pass between this machine and a firmware that answers samples; kernels_templates/firmware/serve.c.j2.

    A5 5A | kind, 1 byte | sample, 4 | length, 4 | payload | CRC-32 of all behind A5 5A, 4

Numbers are little-endian; the CRC-32 is that of Ethernet and zlib. The firmware asks for the bytes of a sample as it
needs them, so that neither side ever sends what the other has no room for:

    kind     from       payload
    H        host       nothing: who is there?
    H        firmware   core clock in Hz, bytes of an input, bytes of an output (4 each), the network's hash as text
    S        host       nothing: a sample is to be answered
    R        firmware   offset, count (4 each): so many bytes of the sample are wanted
    D        host       these bytes
    A        firmware   cycles that the inference took (4; 0: not counted), then the output

What arrives damaged is dropped. The firmware then asks again; the host, after some silence, gives and asks again.
"""

import struct
import zlib
from typing import NamedTuple

MAGIC = b"\xa5\x5a"
_HEAD = struct.Struct("<cII")
_SUM = struct.Struct("<I")


class Frame(NamedTuple):
    """A frame."""

    kind: bytes
    """One letter."""
    sample: int
    """Which sample it is about, 32 bits."""
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """``frame`` as it is sent."""
    body = _HEAD.pack(frame.kind, frame.sample, len(frame.payload)) + frame.payload
    return MAGIC + body + _SUM.pack(zlib.crc32(body))


class Receiver:
    """Finds frames in what arrives."""

    def __init__(self, longest: int):
        """Begin.

        Args:
            longest: bytes of a payload; a length beyond that is damage, and nobody waits for the rest.
        """
        self.longest = longest
        self._held = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole with ``data``; what is none, or damaged, is dropped."""
        self._held += data
        found = []
        while (start := self._held.find(MAGIC)) >= 0:
            body = self._held[start + len(MAGIC) :]
            if len(body) < _HEAD.size:
                break
            kind, sample, length = _HEAD.unpack_from(body)
            end = _HEAD.size + length
            if length <= self.longest and len(body) < end + _SUM.size:
                break
            if length <= self.longest and _SUM.unpack_from(body, end)[0] == zlib.crc32(body[:end]):
                found.append(Frame(kind, sample, body[_HEAD.size : end]))
                self._held = body[end + _SUM.size :]
            else:
                self._held = body  # a frame may begin inside of what only looked like one
        if MAGIC not in self._held:
            self._held = self._held[-1:]
        return found
