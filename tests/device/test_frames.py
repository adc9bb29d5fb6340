"""Frames, whole and damaged."""

import random

from mcubuild.device.frames import Frame, Receiver, encode

FRAMES = [Frame(b"S", 7), Frame(b"D", 1 << 31, bytes(range(256)) * 3), Frame(b"A", 8, b"\xa5\x5a" * 5), Frame(b"H", 0)]


def test_frames_arrive_in_pieces_of_any_size() -> None:
    text = b"noise\xa5" + b"".join(map(encode, FRAMES)) + b"\xa5"
    for size in (1, 2, 3, 7, 64, len(text)):
        receiver = Receiver(1000)
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert [frame for piece in pieces for frame in receiver.feed(piece)] == FRAMES, size


def test_damage_costs_the_frame_and_no_other() -> None:
    whole = encode(damage := Frame(b"A", 8, b"answer"))
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            # A length that is damaged may swallow what follows, until that is longer than it says.
            found = Receiver(1000).feed(bytes(damaged) + encode(FRAMES[0]) * 40)
            assert damage not in found
            if not 7 <= place < 11:
                assert found == [FRAMES[0]] * 40, place


def test_a_length_that_nobody_sends_is_damage() -> None:
    head = b"\xa5\x5aD" + bytes(4) + (1 << 24).to_bytes(4, "little")
    assert Receiver(1000).feed(head + encode(FRAMES[0])) == [FRAMES[0]]


def test_noise_is_no_frame() -> None:
    random.seed(5)
    receiver = Receiver(1000)
    assert not any(receiver.feed(random.randbytes(1000)) for _ in range(200))
