"""Wires to a board: a serial port, and a stream socket, such as debug servers have for a firmware's console."""

import os
import select
import socket
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcubuild.errors import BuildError

_ONCE = 1 << 16


class Descriptor:
    """The Wire that an open file is: a serial port, a terminal, a socket."""

    def __init__(self, descriptor: int, where: str):
        self.where = where
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def write(self, data: bytes) -> None:
        """See Wire."""
        while data:
            if not select.select([], [self._descriptor], [], 10.0)[1]:
                raise BuildError(f"{self.where}: takes no bytes; is something at its other end?")
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                raise self._gone(error) from None

    def read(self, seconds: float) -> bytes:
        """See Wire."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return b""
        try:
            found = os.read(self._descriptor, _ONCE)
        except OSError as error:
            raise self._gone(error) from None
        if not found:
            raise BuildError(f"{self.where}: closed by its other end.")
        return found

    def _gone(self, error: OSError) -> BuildError:
        return BuildError(f"{self.where}: lost ({error.strerror}); check the cable, and that no other program has it.")


@contextmanager
def opened(port: str, baud: int) -> Iterator[Descriptor]:
    """The wire at ``port``: a serial device, at ``baud``, 8 bits, no parity; or host:port.

    Raises:
        BuildError: there is nothing, it may not be opened, or it cannot go at that rate.
    """
    host, colon, number = port.rpartition(":")
    if colon and number.isdecimal() and not Path(port).exists():
        try:
            stream = socket.create_connection((host.strip("[]"), int(number)), timeout=5.0)
        except (OSError, UnicodeError, OverflowError) as error:
            raise BuildError(f"port={port}: nothing answers there ({error}).") from None
        with stream:
            yield Descriptor(stream.fileno(), port)
        return
    rate = getattr(termios, f"B{baud}", None)
    if rate is None:
        raise BuildError(f"desk.baud: found {baud}; serial ports here go at 9600, 115200, 230400, 460800, 921600, ...")
    try:
        descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        near = sorted(str(path) for pattern in ("ttyACM*", "ttyUSB*", "cu.usb*") for path in Path("/dev").glob(pattern))
        found = f"serial ports here: {', '.join(near)}" if near else "no serial port of a board is here"
        raise BuildError(f"port={port}: cannot be opened ({error.strerror}); {found}.") from None
    try:
        if not os.isatty(descriptor):
            raise BuildError(f"port={port}: no serial port; write one such as /dev/ttyACM0, or host:port.")
        try:
            tty.setraw(descriptor)
            settings = termios.tcgetattr(descriptor)
            settings[2] = settings[2] & ~termios.CSTOPB & ~termios.CRTSCTS | termios.CLOCAL | termios.CREAD
            settings[4] = settings[5] = rate
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)
            termios.tcflush(descriptor, termios.TCIOFLUSH)
        except termios.error as error:  # no OSError
            raise BuildError(f"port={port}: cannot be set to {baud} ({error}); try another desk.baud.") from None
        yield Descriptor(descriptor, port)
    finally:
        os.close(descriptor)
