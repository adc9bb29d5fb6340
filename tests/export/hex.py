"""Intel HEX, read."""


def read(text: str) -> dict[int, int]:
    """The bytes by address; each record is checked."""
    found, upper, ended = dict[int, int](), 0, False
    for line in text.splitlines():
        assert line[0] == ":" and not ended
        record = bytes.fromhex(line[1:])
        assert sum(record) & 0xFF == 0 and record[0] == len(record) - 5
        offset, kind, content = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 0:
            assert offset + len(content) <= 1 << 16
            found |= {(upper << 16) + offset + number: byte for number, byte in enumerate(content)}
        elif kind == 4:
            upper = int.from_bytes(content, "big")
        else:
            assert (kind, offset, content) == (1, 0, b"")
            ended = True
    assert ended
    return found
