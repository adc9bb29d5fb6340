"""Flash is written by what the board's file names and this machine has; programs are made up here, and tell how they
were called.
"""

import struct
import sys
from pathlib import Path

import pytest

from mcubuild.board import Board, Desk, board_names, read_board
from mcubuild.device import flash
from mcubuild.device.flash import Image, write
from mcubuild.errors import BuildError
from mcubuild.export.uf2 import uf2

BOARD = read_board("stm32f412").model_copy(update={"desk": None})
OPENOCD, DFUSE = "verify reset exit", "0x08000000:leave"
PICO = Desk(uf2_drive="RPI-RP2", uf2_family=0xE48B_FF56)


def with_desk(**desk: object) -> Board:
    return BOARD.model_copy(update={"desk": Desk.model_validate(desk)})


@pytest.fixture
def image(tmp_path: Path) -> Image:
    elf, binary = tmp_path / "a folder" / "firmware.elf", tmp_path / "a folder" / "firmware.bin"
    elf.parent.mkdir()
    elf.write_bytes(b"ELF")
    binary.write_bytes(bytes(range(256)) * 3 + b"end")
    return Image(elf, binary)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, and no package that is a program."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("mcubuild.device.flash.find_spec", lambda name: None)
    return folder


def add(tools: Path, name: str, code: int = 0, said: str = "") -> None:
    """A program that notes what it is called with."""
    path = tools / name
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(tools / 'calls')!r}, 'a').write('|'.join([{name!r}, *sys.argv[1:]]) + '\\n')\n"
        f"print({said!r})\nsys.exit({code})\n"
    )
    path.chmod(0o755)


def calls(tools: Path) -> list[list[str]]:
    return [line.split("|") for line in (tools / "calls").read_text().splitlines()]


def test_each_tool_is_called_as_its_manual_says(tools: Path, image: Image) -> None:
    board = with_desk(probe_rs="STM32F412ZGTx", dfu="0483:df11", interface="interface/cmsis-dap.cfg")
    expected = {
        "pyocd": [["flash", "--target", "stm32f412xg", str(image.elf)]],
        "openocd": [
            ["-f", "interface/cmsis-dap.cfg", "-f", "target/stm32f4x.cfg", "-c", f"program {{{image.elf}}} {OPENOCD}"]
        ],
        "probe-rs": [
            ["download", "--chip", "STM32F412ZGTx", "--verify", str(image.elf)],
            ["reset", "--chip", "STM32F412ZGTx"],
        ],
        "st-flash": [["--reset", "write", str(image.binary), "0x08000000"]],
        "dfu-util": [
            ["--device", "0483:df11", "--alt", "0", "--dfuse-address", DFUSE, "--download", str(image.binary)]
        ],
    }
    for name, words in expected.items():
        (tools / "calls").unlink(missing_ok=True)
        add(tools, name)
        assert write(board, image, by=name) == f"written by {name}"
        assert calls(tools) == [[name, *one] for one in words]
        (tools / name).unlink()


def test_the_first_that_is_there_is_taken(tools: Path, image: Image) -> None:
    add(tools, "openocd")
    add(tools, "st-flash")
    assert write(BOARD, image) == "written by openocd"
    assert write(with_desk(flash=["st-flash", "openocd"]), image) == "written by st-flash"
    assert flash.ways(BOARD) == ["pyocd", "openocd"]


def test_a_package_is_a_program_too(tools: Path, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcubuild.device.flash.find_spec", lambda name: object() if name == "pyocd" else None)
    assert flash.WAYS["pyocd"].program == [sys.executable, "-m", "pyocd"]


def test_what_to_install_is_told(tools: Path, image: Image) -> None:
    with pytest.raises(BuildError) as caught:
        write(BOARD, image)
    told = str(caught.value)
    assert "nothing that writes the flash of stm32f412 is here; install one: pyocd (pip install" in told
    assert "openocd (Debian: apt install openocd" in told and "dfu-util" not in told and len(told) < 500
    with pytest.raises(BuildError, match=r"does not say how its flash is written; add pyocd_target"):
        write(BOARD.model_copy(update={"openocd": None, "pyocd_target": None}), image)
    with pytest.raises(BuildError, match=r"boards/stm32f412\.toml does not name the chip for it; add desk\.probe_rs"):
        write(BOARD, image, by="probe-rs")


def test_what_a_tool_says_is_told(tools: Path, image: Image) -> None:
    add(tools, "openocd", code=1, said="Info : noise\n" * 90 + "Error: open failed\n\n")
    with pytest.raises(BuildError, match=r"flash by openocd: it ended with 1; .* Error: open failed$") as caught:
        write(BOARD, image)
    assert len(str(caught.value)) < 500


def test_a_drive(tools: Path, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board, drive = BOARD.model_copy(update={"desk": PICO}), tmp_path / "media" / "me" / "RPI-RP2"
    monkeypatch.setattr(flash, "DRIVES", (f"{tmp_path}/media/*/*",))
    for name in ("pyocd_target", "openocd"):
        board = board.model_copy(update={name: None})
    with pytest.raises(BuildError, match=r"no drive 'RPI-RP2' \(hold BOOTSEL"):
        write(board, image)
    drive.mkdir(parents=True)
    with pytest.raises(BuildError, match="no drive"):  # any folder may have that name
        write(board, image)
    (drive / "INFO_UF2.TXT").touch()
    monkeypatch.setattr(flash, "_PATIENCE", 0.2)  # the loader would take the file and go
    assert write(board, image) == f"copied to {drive}"
    blocks = [(drive / "firmware.uf2").read_bytes()[at : at + 512] for at in range(0, 2048, 512)]
    data = b""
    for number, block in enumerate(blocks):
        fields = struct.unpack_from("<8I", block)
        address = 0x0800_0000 + 256 * number
        assert fields == (0x0A324655, 0x9E5D5157, 0x2000, address, 256, number, 4, 0xE48BFF56)
        assert block[-4:] == bytes.fromhex("306fb10a")
        data += block[32:][:256]
    assert data == image.binary.read_bytes().ljust(1024, b"\0")


def test_uf2_of_nothing_is_nothing() -> None:
    assert uf2(b"", 0x1000_0000, 1) == b""


@pytest.mark.parametrize("name", board_names())
def test_boards_that_come_along_name_tools(name: str) -> None:
    assert flash.ways(read_board(name)) == ["pyocd", "openocd", "st-flash", "dfu-util"]
