"""UF2: read back block by block, as a boot loader does, it is the image at its addresses."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from mcubuild.board import Board, Desk, read_board
from mcubuild.errors import BuildError
from mcubuild.export.format import Built, format_of
from mcubuild.export.formats.uf2 import FAMILIES


def blocks(data: bytes, family: int) -> dict[int, bytes]:
    """Payloads by address; every field is checked by the format's description."""
    assert len(data) % 512 == 0
    found, count = dict[int, bytes](), len(data) // 512
    for number in range(count):
        block = data[512 * number :][:512]
        first, second, flags, address, size, own, total, told = struct.unpack("<8I", block[:32])
        assert (first, second, struct.unpack("<I", block[508:])[0]) == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        assert (own, total, told) == (number, count, family)
        assert flags == 0x2000  # a family, flash, no checksum, no tags
        assert size == 256 and address % 256 == 0 and not any(block[32 + size : 508])
        assert address not in found
        found[address] = block[32 : 32 + size]
    return found


def board_with(family: int | None, origin: int) -> Board:
    board = read_board("stm32f412")
    memory = tuple(
        region.model_copy(update={"origin": origin}) if region.kind == "flash" else region for region in board.memory
    )
    return board.model_copy(update={"desk": Desk(uf2_family=family), "memory": memory})


def built(folder: Path, board: Board, image: bytes) -> Built:
    (folder / "firmware.bin").write_bytes(image)
    return Built("net", folder, board, "model")


@pytest.mark.parametrize(("name", "origin"), [("RP2040", 0x1000_0000), ("STM32F4", 0x0801_0000)])
@pytest.mark.parametrize("length", [1, 255, 256, 257, 70_001])
def test_it_reads_back(name: str, origin: int, length: int, tmp_path: Path) -> None:
    image = bytes(number * 37 % 251 for number in range(length))
    told = format_of("uf2").write(built(tmp_path, board_with(FAMILIES[name], origin), image), tmp_path)
    found = blocks(told.path.read_bytes(), FAMILIES[name])
    assert [*found] == [*range(origin, origin + length, 256)]
    joined = b"".join(found.values())
    assert joined[:length] == image and not any(joined[length:])
    assert f"({name})" in told.told


def test_a_board_without_a_family_is_told_which_to_set(tmp_path: Path) -> None:
    board = read_board("stm32f412")
    with pytest.raises(BuildError, match=r"boards/stm32f412.toml: desk.uf2_family: found none.*STM32F4: 0x57755A57"):
        format_of("uf2").write(built(tmp_path, board, b"x"), tmp_path)
    other = board.model_copy(update={"title": "Some board", "desk": None})
    with pytest.raises(BuildError, match="RP2040: 0xE48BFF56, say") as caught:
        format_of("uf2").write(replace(built(tmp_path, board, b"x"), board=other), tmp_path)
    assert len(str(caught.value)) < 500


def test_blocks_begin_where_flash_is_written(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="multiples of 256"):
        format_of("uf2").write(built(tmp_path, board_with(1, 0x1000_0010), b"x"), tmp_path)
