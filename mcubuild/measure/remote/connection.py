"""A connection to a GDB server: requests, acknowledgements, replies.

Source: Debugging with GDB, "Overview", "Packet Acknowledgment", "Notification Packets", "Stop Reply Packets". A server
may send ``O<hex>`` (text for the console) before a reply, and notifications (``%...``) at any time; OpenOCD keeps
clients alive with both while it writes flash.
"""

import re
import socket
import time

from mcubuild.errors import BuildError
from mcubuild.measure.remote.packets import checksum, expand, frame

_TRIES = 5
_STOP = re.compile(rb"[TS][0-9a-fA-F]{2}")
_CONSOLE = re.compile(rb"O([0-9a-fA-F]{2})*")


class Connection:
    """Packets to and from a server over a stream socket."""

    def __init__(self, stream: socket.socket, where: str):
        """Take over a connected socket.

        Args:
            stream: TCP or Unix socket.
            where: for messages: what is connected, ``gdb runner: localhost:3333``.
        """
        self.where = where
        self.console = ""
        """What the server wrote to the console since the last request."""
        self._stream = stream
        self._received = b""
        self._acknowledge = True
        self._last = b""
        self._write(b"+")  # whatever a server sent last, it need not repeat it

    def ask(self, body: bytes, seconds: float = 10.0) -> bytes:
        """The reply to a request.

        Args:
            body: the request, binary parts escaped.
            seconds: the longest silence to bear.

        Raises:
            BuildError: the server is silent, damages packets, or has gone.
        """
        self.send(body)
        while (reply := self.receive(seconds)) is not None:
            # A target that runs is halted by QEMU when a client connects, which tells it unasked.
            if body == b"?" or not _STOP.match(reply):
                return reply
        raise BuildError(f"{self.where}: no reply to {_shown(body)} within {seconds:g} s.")

    def send(self, body: bytes) -> None:
        """Send a request and do not wait for its reply.

        Raises:
            BuildError: the server has gone.
        """
        self.console = ""
        self._last = frame(body)
        self._write(self._last)

    def receive(self, seconds: float) -> bytes | None:
        """The next reply, expanded; None if the server is silent for ``seconds``.

        Raises:
            BuildError: the server damages packets, or has gone.
        """
        deadline = time.monotonic() + seconds
        failures = 0
        while failures < _TRIES:
            token = self._token(deadline)
            if token is None:
                return None
            if token == b"-":
                failures += 1
                self._write(self._last)
            if token[:1] != b"$":
                continue
            content = _content(token)
            if self._acknowledge:
                self._write(b"-" if content is None else b"+")
            if content is None:
                failures = failures + 1 if self._acknowledge else _TRIES
            elif content != b"OK" and _CONSOLE.fullmatch(content):
                self.console += bytes.fromhex(content[1:].decode()).decode(errors="replace")
                deadline = time.monotonic() + seconds
            else:
                return content
        raise BuildError(f"{self.where}: packets arrive damaged (wrong checksums); is this a GDB server?")

    def stop_acknowledging(self) -> None:
        """Do without acknowledgements, where the server can: TCP loses nothing."""
        if self.ask(b"QStartNoAckMode") == b"OK":
            self._acknowledge = False

    def interrupt(self) -> None:
        """Halt a running target; a stop reply follows (Debugging with GDB, "Interrupts")."""
        self._write(b"\x03")

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _token(self, deadline: float) -> bytes | None:
        """The next acknowledgement or packet as it came; None at the deadline. Notifications are dropped."""
        while True:
            token = self._first_token()
            if token[:1] == b"%":
                continue
            if token:
                return token
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._stream.settimeout(left)
            try:
                data = self._stream.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise self._gone(error.strerror or str(error)) from None
            if not data:
                raise self._gone("closed by the other side")
            self._received += data

    def _first_token(self) -> bytes:
        """Take an acknowledgement, packet or notification off what was received; empty if there is none in full."""
        found = re.search(rb"[+-]|[$%].*", self._received, re.DOTALL)
        token = found and re.match(rb"[+-]|[$%][^#]*#..", found[0], re.DOTALL)
        self._received = self._received[found.start() + (token.end() if token else 0) :] if found else b""
        return token[0] if token else b""

    def _write(self, data: bytes) -> None:
        self._stream.settimeout(30.0)
        try:
            self._stream.sendall(data)
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from None

    def _gone(self, why: str) -> BuildError:
        return BuildError(
            f"{self.where}: the connection was lost ({why}) after {_shown(self._last)}; "
            "look at the server's messages, check cable and supply, and build again."
        )


def _content(packet: bytes) -> bytes | None:
    """What a packet carries; None if it is damaged."""
    body = packet[1:-3]
    try:
        return expand(body) if int(packet[-2:], 16) == checksum(body) else None
    except ValueError:
        return None


def _shown(body: bytes) -> str:
    return repr(body[:24].decode("ascii", errors="replace"))
