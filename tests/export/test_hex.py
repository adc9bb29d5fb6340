"""Intel HEX: read back record by record, it is the image at its addresses."""

import pytest

from mcubuild.export.hex import intel_hex
from tests.export.hex import read


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
