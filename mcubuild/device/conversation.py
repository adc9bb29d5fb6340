"""What this machine says to a firmware that answers samples, and understands of its answers."""

import random
import struct
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.device.frames import Frame, Receiver, encode
from mcubuild.errors import BuildError, printable

_HELLO = struct.Struct("<III")
_REQUEST = struct.Struct("<II")
_TRIES = 5
_SHORT = 64
"""Bytes that a payload may have which is no answer."""


class Wire(Protocol):
    """Bytes to and from a firmware. All methods raise BuildError when it has gone."""

    where: str
    """For messages: ``/dev/ttyACM0``."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""

    def read(self, seconds: float) -> bytes:
        """What has arrived, as soon as that is anything; empty after so long a silence."""


@dataclass(frozen=True)
class Hello:
    """What a firmware says of itself."""

    clock_hz: int
    """Its core clock; 0: it does not know."""
    input_bytes: int
    output_bytes: int
    network: str
    """The hash of its network, as in the header of its C."""


@dataclass(frozen=True)
class Answer:
    """To one sample."""

    outputs: NDArray[np.int8]
    """int8 (bytes of all outputs,)."""
    cycles: int | None
    """Core cycles of the inference, modulo 2^32, by the core's own counter; None: it has none that counts."""


class Conversation:
    """With one firmware."""

    def __init__(self, wire: Wire, patience: float = 3.0):
        """Ask who is there.

        Args:
            wire: to the firmware.
            patience: seconds of silence before something is said again, and again twice as many.

        Raises:
            BuildError: nobody answers.
        """
        self._wire, self._patience = wire, patience
        self._receiver, self._arrived = Receiver(_SHORT), list[Frame]()
        self._sample = random.getrandbits(31)  # what an earlier program has asked for is none of ours
        payload = self._ask(Frame(b"H", 0), b"H").payload
        if len(payload) < _HELLO.size:
            raise BuildError(f"{wire.where}: what answers is no firmware of doit run; write that to the board first.")
        clock_hz, inputs, outputs = _HELLO.unpack_from(payload)
        network = printable(payload[_HELLO.size :].decode("ascii", "replace"))
        self.hello = Hello(clock_hz, inputs, outputs, network)
        self._receiver.longest = max(_SHORT, 4 + self.hello.output_bytes)

    def answer(self, sample: NDArray[np.int8]) -> Answer:
        """What the firmware answers to ``sample``, int8 of as many bytes as all inputs together.

        Raises:
            BuildError: it asks for what is not there, says nothing, or something else than it announced.
        """
        data = sample.tobytes()
        if len(data) != self.hello.input_bytes:
            raise BuildError(
                f"{self._wire.where}: its firmware has inputs of {self.hello.input_bytes} bytes, samples of this spec "
                f"have {len(data)}; build and write the firmware of this spec."
            )
        self._sample = self._sample + 1 & 0xFFFF_FFFF
        payload = self._ask(Frame(b"S", self._sample), b"A", data).payload
        if len(payload) != 4 + self.hello.output_bytes:
            raise BuildError(f"{self._wire.where}: an answer of {len(payload)} bytes, where it said {self.hello}.")
        return Answer(np.frombuffer(payload[4:], np.int8), int.from_bytes(payload[:4], "little") or None)

    def _ask(self, question: Frame, kind: bytes, data: bytes = b"") -> Frame:
        """The answer, of that kind; on the way, the firmware gets what it asks for of ``data``."""
        asked, patience, tries = encode(question), self._patience, 0
        given = b""
        self._wire.write(asked)
        while True:
            frame = self._next(patience)
            if frame is None:
                tries += 1
                if tries == _TRIES:
                    raise BuildError(
                        f"{self._wire.where}: no answer within {patience * (2 - 2.0 ** (1 - tries)):.0f} s; does the "
                        f"board run the firmware of doit run, at this baud rate, and is it this port?"
                    )
                # If bytes were lost on the way there, it waits for these; if its answer was, for the question.
                self._wire.write(given + asked)
                patience *= 2
            elif (frame.kind, frame.sample) == (kind, question.sample):
                return frame
            elif frame.kind == b"R" and len(frame.payload) == _REQUEST.size:
                offset, count = _REQUEST.unpack(frame.payload)
                ours = frame.sample == question.sample
                if ours and offset + count > len(data):
                    raise BuildError(f"{self._wire.where}: asks for byte {offset + count} of {len(data)} of a sample.")
                # Whoever wanted another sample has gone: zeros let the firmware come to its end.
                given = encode(Frame(b"D", frame.sample, data[offset : offset + count] if ours else bytes(count)))
                self._wire.write(given)

    def _next(self, seconds: float) -> Frame | None:
        """The next frame; None after so long a silence."""
        deadline = time.monotonic() + seconds
        while not self._arrived:
            data = self._wire.read(max(0.0, deadline - time.monotonic()))
            self._arrived += self._receiver.feed(data)
            if not data and time.monotonic() >= deadline:
                return None
        return self._arrived.pop(0)
