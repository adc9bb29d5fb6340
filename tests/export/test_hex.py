"""Intel HEX: read back record by record, it is the image at its addresses."""

import pytest

from mcubuild.export.hex import intel_hex


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


@pytest.mark.parametrize("origin", [0, 0x0800_0000, 0x1000_FFF5, 2**32 - 70_001])
@pytest.mark.parametrize("length", [0, 1, 16, 17, 70_001])
def test_it_reads_back(origin: int, length: int) -> None:
    image = bytes(number * 37 % 251 for number in range(length))
    found = read(intel_hex(image, origin))
    assert found == {origin + number: byte for number, byte in enumerate(image)}


def test_a_known_record() -> None:
    assert intel_hex(bytes.fromhex("0102"), 0x0800_0000) == ":020000040800F2\n:020000000102FB\n:00000001FF\n"


def test_addresses_have_32_bits() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        intel_hex(b"ab", 2**32 - 1)
