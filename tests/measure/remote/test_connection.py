"""Packets and connection, against what servers may send."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcubuild.errors import BuildError
from mcubuild.measure.remote.connection import Connection
from mcubuild.measure.remote.packets import escape, expand, frame

Peer = socket.socket


@pytest.fixture
def pair() -> Iterator[tuple[Connection, Peer]]:
    """A connection, and the server's end of it."""
    near, far = socket.socketpair()
    connection = Connection(near, "gdb runner: here:1")
    far.settimeout(5)
    assert far.recv(1) == b"+"
    yield connection, far
    connection.close()
    far.close()


def serve(peer: Peer, *steps: tuple[bytes, bytes]) -> threading.Thread:
    """Expect and answer, one after the other."""

    def run() -> None:
        for expected, answer in steps:
            received = b""
            while len(received) < len(expected):
                received += peer.recv(len(expected) - len(received))
            assert received == expected
            peer.sendall(answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_frame() -> None:
    assert frame(b"") == b"$#00"
    assert frame(b"OK") == b"$OK#9a"
    assert frame(b"\xff\xff\x03") == b"$\xff\xff\x03#01"


@given(st.binary(max_size=200))
def test_what_is_escaped_comes_back(data: bytes) -> None:
    escaped = escape(data)
    assert not set(b"#$*") & set(escaped)
    assert expand(escaped) == data


def test_repetitions() -> None:
    assert expand(b"0* ") == b"0000"  # the documentation's example
    assert expand(b'a*"b') == b"aaaaaab"
    assert expand(b"}\x03* ") == b"####"
    for wrong in (b"*!", b"abc}", b"abc*"):
        with pytest.raises(ValueError, match=r"repetition|escape"):
            expand(wrong)


def test_request_and_reply_are_acknowledged(pair: tuple[Connection, Peer]) -> None:
    connection, peer = pair
    thread = serve(peer, (b"$g#67", b"+$0* #7a"), (b"+", b""))
    assert connection.ask(b"g") == b"0000"
    thread.join(5)


def test_a_damaged_reply_is_asked_for_again(pair: tuple[Connection, Peer]) -> None:
    connection, peer = pair
    thread = serve(peer, (b"$g#67", b"+$O@#9a"), (b"-", b"$OK#9a"), (b"+", b""))
    assert connection.ask(b"g") == b"OK"
    thread.join(5)


def test_a_damaged_request_is_sent_again(pair: tuple[Connection, Peer]) -> None:
    connection, peer = pair
    serve(peer, (b"$g#67", b"-"), (b"$g#67", b"+$OK#9a"))
    assert connection.ask(b"g") == b"OK"


def test_for_ever_damaged(pair: tuple[Connection, Peer]) -> None:
    connection, peer = pair
    serve(peer, (b"$g#67", b"+$x#00$x#00$x#00$x#00$x#00$x#00"))
    with pytest.raises(BuildError, match="here:1: packets arrive damaged"):
        connection.ask(b"g")


def test_without_acknowledgements(pair: tuple[Connection, Peer]) -> None:
    connection, peer = pair
    thread = serve(peer, (b"$QStartNoAckMode#b0", b"+$OK#9a"), (b"+", b""), (b"$g#67", b"$00#60"), (b"$g#67", b"$1#31"))
    connection.stop_acknowledging()
    assert connection.ask(b"g") == b"00"
    assert connection.ask(b"g") == b"1"
    thread.join(5)


def test_console_and_notifications_come_before_the_reply(pair: tuple[Connection, Peer]) -> None:
    """OpenOCD keeps clients alive with empty console packets and with notifications."""
    connection, peer = pair
    keep_alive = b"%oocd_keepalive:00#aa" + frame(b"O")
    serve(peer, (b"$g#67", b"+" + keep_alive + frame(b"O" + b"hello\n".hex().encode()) + keep_alive + frame(b"OK")))
    assert connection.ask(b"g") == b"OK"
    assert connection.console == "hello\n"


def test_a_reply_in_pieces(pair: tuple[Connection, Peer]) -> None:
    """With + and - in it, which are no acknowledgements there."""
    connection, peer = pair
    whole = frame(b"qXfer:features:read+;x-y+")

    def run() -> None:
        for index in range(len(whole)):
            peer.sendall(whole[index : index + 1])
            time.sleep(0.001)

    threading.Thread(target=run, daemon=True).start()
    assert connection.ask(b"g") == b"qXfer:features:read+;x-y+"


def test_silence(pair: tuple[Connection, Peer]) -> None:
    connection, _ = pair
    with pytest.raises(BuildError, match=r"here:1: no reply to 'g' within 0\.1 s"):
        connection.ask(b"g", 0.1)


@pytest.mark.parametrize("leave", [lambda peer: peer.close(), lambda peer: peer.shutdown(socket.SHUT_WR)])
def test_the_other_side_goes(pair: tuple[Connection, Peer], leave: Callable[[Peer], None]) -> None:
    connection, peer = pair
    leave(peer)
    with pytest.raises(BuildError, match="here:1: the connection was lost"):
        for _ in range(3):
            connection.ask(b"g", 1)
