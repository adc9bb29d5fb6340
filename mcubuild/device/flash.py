"""Writes firmware to a board's flash with the tools that people have for that.

Sources of the command lines: pyOCD's "Command reference" (flash), OpenOCD's User's Guide ("Flash Programming",
program), probe-rs' help of ``download`` and ``reset``, st-flash(1), dfu-util(1) with its DfuSe options, and Microsoft's
UF2 specification for the drive.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mcubuild.board import Board, Desk
from mcubuild.errors import BuildError, shortened
from mcubuild.export.uf2 import uf2
from mcubuild.toolchain.environment import environment

DRIVES = ("/media/*", "/media/*/*", "/run/media/*/*", "/Volumes/*")
"""Where Linux and macOS show drives."""
_SECONDS = 300.0
_PATIENCE = 10.0
"""Seconds that a boot loader may take to leave with its drive."""
_TOLD = 300
"""Letters of what a tool says that are shown."""


@dataclass(frozen=True)
class Image:
    """A firmware."""

    elf: Path
    binary: Path
    """The same from the flash's first address on."""


@dataclass(frozen=True)
class Way:
    """A tool."""

    name: str
    wants: str
    """The key of the board's file that names the chip for it; empty: it needs none."""
    install: str
    """How one gets it."""
    commands: Callable[[Board, Desk, Image], list[list[str]]]
    """What is run, one after the other, without the program where that is ``name``."""

    def named(self, board: Board) -> bool:
        """Whether the board's file says what this tool needs to know."""
        if not self.wants:
            return True
        table, _, key = self.wants.rpartition(".")
        return getattr(board.desk if table else board, key, None) is not None

    @property
    def program(self) -> list[str] | None:
        """The beginning of its command lines; None: it is not installed."""
        found = shutil.which(self.name)
        if found is None and find_spec(self.name) is not None:  # a package without its script on the PATH
            return [sys.executable, "-m", self.name]
        return [found] if found else None


def _pyocd(board: Board, desk: Desk, image: Image) -> list[list[str]]:
    return [["flash", "--target", str(board.pyocd_target), str(image.elf)]]


def _openocd(board: Board, desk: Desk, image: Image) -> list[list[str]]:
    # Braces: OpenOCD's command is one of Tcl, where a path may have spaces.
    program = f"program {{{image.elf}}} verify reset exit"
    return [["-f", desk.interface, "-f", str(board.openocd), "-c", program]]


def _probe_rs(board: Board, desk: Desk, image: Image) -> list[list[str]]:
    chip = ["--chip", str(desk.probe_rs)]
    return [["download", *chip, "--verify", str(image.elf)], ["reset", *chip]]


def _st_flash(board: Board, desk: Desk, image: Image) -> list[list[str]]:
    return [["--reset", "write", str(image.binary), f"0x{board.flash.origin:08x}"]]


def _dfu_util(board: Board, desk: Desk, image: Image) -> list[list[str]]:
    where = f"0x{board.flash.origin:08x}:leave"
    return [["--device", str(desk.dfu), "--alt", "0", "--dfuse-address", where, "--download", str(image.binary)]]


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way("pyocd", "pyocd_target", "pip install 'pyocd>=0.36'", _pyocd),
        Way("openocd", "openocd", "Debian: apt install openocd; macOS: brew install openocd", _openocd),
        Way("probe-rs", "desk.probe_rs", "see probe.rs", _probe_rs),
        Way("st-flash", "", "Debian: apt install stlink-tools; macOS: brew install stlink", _st_flash),
        Way("dfu-util", "desk.dfu", "Debian: apt install dfu-util; macOS: brew install dfu-util", _dfu_util),
    )
}
_UF2 = "uf2"
_DEFAULT = ("pyocd", "openocd", "probe-rs", _UF2, "dfu-util")


def ways(board: Board) -> list[str]:
    """What may write the board's flash, in the order in which it is looked for."""
    if board.desk and board.desk.flash:
        return list(board.desk.flash)
    drive = board.desk is not None and board.desk.uf2_drive is not None
    return [name for name in _DEFAULT if (drive if name == _UF2 else WAYS[name].named(board))]


def write(board: Board, image: Image, by: str | None = None) -> str:
    """Write ``image`` to the flash of the board that is connected, and start it.

    Args:
        board: which it is.
        image: the firmware.
        by: the only way to try; None: the first that is there.

    Returns:
        What was done, in a few words.

    Raises:
        BuildError: no tool is there, the board's file does not say enough, or the tool failed: what it said.
    """
    desk, tried = board.desk or Desk(), list[str]()
    for name in [by] if by else ways(board):
        if name == _UF2:
            if (drive := _drive(board, desk)) is not None:
                return _copy(board, desk, image, drive)
            tried.append(f"no drive {desk.uf2_drive!r} (hold BOOTSEL or press reset twice while you plug it in)")
            continue
        way = WAYS[name]
        if not way.named(board):
            raise BuildError(
                f"flash by {name}: boards/{board.name}.toml does not name the chip for it; add {way.wants}."
            )
        if way.program is not None:
            for words in way.commands(board, desk, image):
                _run(name, [*way.program, *words])
            return f"written by {name}"
        tried.append(f"{name} ({way.install})")
    if not tried:
        raise BuildError(
            f"flash: boards/{board.name}.toml does not say how its flash is written; add pyocd_target, openocd, or a "
            "table [desk]: docs/boards.md."
        )
    raise BuildError(f"flash: nothing that writes the flash of {board.name} is here; install one: {'; '.join(tried)}.")


def _run(name: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"flash by {name}: it was not done within {_SECONDS:g} s; is the board supplied?") from None
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        said = shortened(" / ".join(lines[-6:]) or "nothing", _TOLD)
        raise BuildError(
            f"flash by {name}: it ended with {done.returncode}; is the board connected, supplied, and no other program "
            f"at its probe? It said: {said}"
        )


def _drive(board: Board, desk: Desk) -> Path | None:
    """Where the boot loader's drive is mounted; its INFO_UF2.TXT tells it from others of that name."""
    if desk.uf2_drive is None or desk.uf2_family is None:
        raise BuildError(
            f"flash by uf2: boards/{board.name}.toml does not name the drive and the family; add "
            'desk = { uf2_drive = "RPI-RP2", uf2_family = 0xE48BFF56 }, say.'
        )
    found = [path for pattern in DRIVES for path in Path("/").glob(pattern.lstrip("/")) if path.name == desk.uf2_drive]
    return next((path for path in found if (path / "INFO_UF2.TXT").is_file()), None)


def _copy(board: Board, desk: Desk, image: Image, drive: Path) -> str:
    assert desk.uf2_family is not None
    target = drive / "firmware.uf2"
    try:
        target.write_bytes(uf2(image.binary.read_bytes(), board.flash.origin, desk.uf2_family))
    except OSError as error:
        raise BuildError(f"{target}: cannot be written ({error.strerror}).") from None
    deadline = time.monotonic() + _PATIENCE
    while drive.exists() and target.exists() and time.monotonic() < deadline:  # the loader leaves when it has it all
        time.sleep(0.1)
    return f"copied to {drive}"
