"""The boards: what boards/*.toml says of core, clock, memories and power."""

import difflib
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from mcubuild.cores import names
from mcubuild.cores.core import core_of
from mcubuild.errors import BuildError
from mcubuild.project import files
from mcubuild.quantities import Bytes, Hertz
from mcubuild.settings import Settings, read_toml

DESCRIPTIVE = frozenset({"title", "source", "openocd", "pyocd_target", "active_power_mw", "desk"})
"""Fields of a board that neither the firmware's size nor its cycles depend on."""

FlashWay: TypeAlias = Literal["pyocd", "openocd", "probe-rs", "st-flash", "dfu-util", "uf2"]
CoreName: TypeAlias = str
"""One of ``cores.names()``."""
CLOCK_SETUPS: Final[Mapping[str, CoreName]] = {"stm32f4": "cortex-m4", "stm32f7": "cortex-m7", "stm32h7": "cortex-m7"}
"""Chips whose clock set-up comes with mcubuild, ``kernels_templates/firmware/clock_<...>.c.j2``, and their core."""
SECOND_STAGE_BYTES: Final = 256
"""RP2040 data sheet, 2.8.1.3.1: the boot ROM copies so many bytes from the flash's beginning to RAM and runs them."""
_EXTERNAL = range(0x6000_0000, 0xA000_0000)
"""Armv7-M Architecture Reference Manual, B3.1: external RAM, where chips map flash that is not their own, too."""
_DEVICES = (range(0x4000_0000, 0x6000_0000), range(0xA000_0000, 1 << 32))
"""The same: peripherals and external devices. Cores run no code there, and accesses that are not aligned fault."""
_VECTORS_ALIGNMENT: Final = 128
"""The same, B3.2.5: of a vector table with 16 entries, and at least."""
_RAM_ALIGNMENT: Final = 32
"""Bytes; the stack lies where RAM begins, and wants 8 (AAPCS, 6.2.1.2); a cache line has up to 32."""
_TAKEN: Final = frozenset({"FLASH", "MEMORY", "ORIGIN", "LENGTH", "SECTIONS", "ALIGN", "KEEP", "SIZEOF", "ADDR", "AT"})
"""Words of linker scripts, and what the firmware's calls the flash."""
_BOOT_ROMS: Final[Mapping[tuple[int, CoreName], str]] = {
    (0x1000_0000, "cortex-m0plus"): 'an RP2040 first runs a second stage from there: write boot = "rp2040"',
    (0x1000_0000, "cortex-m33"): "an RP2350 looks for an image definition there, which mcubuild does not write",
}
"""Where flash begins on chips whose boot ROM wants more there than a vector table."""


class Memory(Settings):
    """One memory region."""

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """As in the reference manual: FLASH, DTCM, AXI_SRAM, ..."""
    kind: Literal["flash", "ram"]
    """``flash`` holds code and constants, ``ram`` data."""
    origin: int = Field(ge=0, lt=2**32)
    """First address."""
    size: Bytes
    """Bytes."""
    wait_states: int = Field(ge=0, le=1000)
    """Extra cycles of a read that no cache or accelerator serves, at the clock that the firmware runs at. Of a serial
    flash: the core cycles of a whole transfer (command, address and a cache line or a word), less one."""
    bus: Literal["ahb", "axi", "tcm"] = "ahb"
    """What connects it to the core; ``tcm`` is tightly coupled and never cached."""
    code_only: bool = False
    """For code and constants (ITCM): no variables are placed there."""

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.origin + self.size

    @model_validator(mode="after")
    def _where_such_memory_can_be(self) -> "Memory":
        place = f"found {self.name}, of kind {self.kind!r}, at 0x{self.origin:08x}"
        if any(self.origin in devices for devices in _DEVICES):
            raise ValueError(
                f"{place}, where cores see peripherals: no code runs there, and accesses that are not aligned fault; "
                "leave it out, or give an address below 0xa0000000 to which the chip can map it"
            )
        alignment = _VECTORS_ALIGNMENT if self.kind == "flash" else _RAM_ALIGNMENT
        if self.origin % alignment:
            what = "the vector table" if self.kind == "flash" else "the stack"
            raise ValueError(
                f"{place}; {what}, which begins it, needs a multiple of {alignment}: begin at the next, end as now"
            )
        if self.kind == "ram" and self.name in _TAKEN:
            raise ValueError(f"{place}; the linker script uses that name otherwise: give it another one, such as SRAM")
        return self

    @model_validator(mode="after")
    def _within_the_address_space(self) -> "Memory":
        if self.end > 2**32:
            raise ValueError(
                f"found {self.name} from 0x{self.origin:x}, with {self.size} bytes; addresses end at 0xffffffff: lower "
                f"origin or size"
            )
        return self


class Cache(Settings):
    """Caches of the core or its flash interface."""

    instruction: int = Field(default=0, ge=0, le=1 << 20)
    """Bytes of instruction cache."""
    data: int = Field(default=0, ge=0, le=1 << 20)
    """Bytes of data cache."""
    line: int = Field(default=16, ge=4, le=256)
    """Bytes a line."""

    @field_validator("line")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"found {value}; lines have 4, 8, 16, ... 256 bytes")
        return value

    @model_validator(mode="after")
    def _whole_lines(self) -> "Cache":
        for key in ("instruction", "data"):
            if getattr(self, key) % self.line:
                raise ValueError(f"found {key} = {getattr(self, key)}, which is no multiple of line = {self.line}")
        return self


class RegisterBits(Settings):
    """Bits of a register that are changed: an item of the list."""

    address: int = Field(ge=0, lt=2**32, multiple_of=4)
    """Of the register."""
    clear: int = Field(default=0, ge=0, lt=2**32)
    """Bits that become 0."""
    set: int = Field(default=0, ge=0, lt=2**32)
    """Bits that then become 1."""


class Led(Settings):
    """A light at a pin, that goes on, or off, with each sample that the firmware of ``doit run`` answers."""

    address: int = Field(ge=0, lt=2**32, multiple_of=4)
    """Of the register with the pin's output: ``0x40020414``, GPIOB_ODR of an STM32F4."""
    bit: int = Field(ge=0, le=31)
    """The pin's bit in it."""
    setup: tuple[RegisterBits, ...] = ()
    """What makes the pin an output, in order: its port's clock, its mode."""


class Desk(Settings):
    """What ``doit flash`` and ``doit run`` know of the board on the desk; no build depends on it."""

    flash: tuple[FlashWay, ...] = ()
    """What may write the flash, in the order in which it is looked for. Without it, what the file has names for:
    ``pyocd_target``, ``openocd``, ``probe_rs``, ``uf2_drive``, ``dfu``. ``st-flash`` needs no name, but counts only
    where it is listed."""
    interface: str = "interface/stlink.cfg"
    """OpenOCD's configuration file of the probe."""
    probe_rs: str | None = None
    """What probe-rs calls the chip: ``probe-rs chip list``."""
    dfu: str | None = Field(default=None, pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")
    """USB vendor and product of the boot loader that dfu-util writes to: ``"0483:df11"`` of STM32."""
    uf2_drive: str | None = Field(default=None, pattern=r"^[\w .-]+$")
    """Name of the drive that the boot loader shows, onto which a .uf2 file is copied: ``"RPI-RP2"``."""
    uf2_family: int | None = Field(default=None, ge=0, lt=2**32)
    """Of such files: what the boot loader accepts, as in Microsoft's ``uf2families.json``; 0xE48BFF56 of RP2040."""
    uart: str | None = None
    """A C99 file of yours such as ``"uart.c"``, relative to the board's file, that defines
    ``void uart_setup(uint32_t clock_hz, uint32_t baud)``, ``uint8_t uart_read(void)``, which waits for a byte, and
    ``void uart_write(uint8_t byte)``: ``doit run port=...`` talks over it."""
    baud: int = Field(default=115_200, ge=300, le=12_000_000)
    """Bits a second on that wire."""
    led: Led | None = None
    """A table as below: a light that shows answers."""


class Board(Settings):
    """A microcontroller: everything that generated code, linker script and cycle model need to know of it."""

    name: str
    """The file's stem."""
    title: str
    """As the manufacturer writes it."""
    source: str
    """Documents that the figures are from."""
    core: CoreName = Field(json_schema_extra={"enum": list(names())})
    """The processor core."""
    dsp: bool
    """Whether the core has the DSP extension (SMLAD, SXTB16, ...)."""
    fpu: Literal["none", "fpv4-sp-d16", "fpv5-sp-d16", "fpv5-d16"]
    """The floating-point unit, as compilers name it."""
    clock: Hertz
    """Core clock in Hz, the fastest that the data sheet allows."""
    reset_clock: Hertz | None = None
    """Core clock in Hz after reset, which the firmware keeps where there is no ``clock_setup``."""
    active_power_mw: float = Field(ge=1e-3, le=1e6)
    """Typical power in run mode, at the clock that the firmware runs at, with peripherals off, in mW."""
    clock_setup: str | None = None
    """What brings the core to ``clock``: ``"stm32f4"``, ``"stm32f7"``, ``"stm32h7"``, or a C99 file of yours such as
    ``"clock.c"``, relative to the board's file, that defines ``uint32_t clock_setup(void)``: it sets the clock and the
    flash's wait states and returns the clock in Hz. Without it the core keeps its ``reset_clock``."""
    clock_code: str | None = None
    """The content of that file; ``read_board`` fills it in."""
    boot: Literal["vectors", "rp2040"] | None = None
    """What the chip looks for where its flash begins: ``"vectors"`` or nothing said: the vector table; ``"rp2040"``: a
    second stage with a checksum, which the firmware then has."""
    openocd: str | None = None
    """OpenOCD's configuration file of the chip, which messages name: ``openocd -f interface/stlink.cfg -f <...>``."""
    pyocd_target: str | None = None
    """What pyOCD calls the chip: a built-in target, or a part number of a CMSIS pack."""
    desk: Desk | None = None
    """How ``doit flash`` and ``doit run`` reach it."""
    cache: Cache = Cache()
    """Core caches (Cortex-M7) or the flash accelerator's (STM32F4)."""
    memory: tuple[Memory, ...] = Field(min_length=2)
    """Every memory region."""

    @model_validator(mode="after")
    def _regions_do_not_overlap(self) -> "Board":
        regions = sorted(self.memory, key=lambda region: region.origin)
        for low, high in pairwise(regions):
            if low.end > high.origin:
                raise ValueError(f"found memory {low.name} reaching into {high.name}; regions must not overlap")
        names = [region.name for region in regions]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"found memory {twice[0]} twice; give each region a name of its own")
        if not any(region.kind == "flash" for region in regions):
            raise ValueError("found no memory of kind 'flash'; one is needed for the code")
        if not any(region.kind == "ram" and not region.code_only for region in regions):
            raise ValueError("found no memory of kind 'ram' for variables; one is needed for the network's tensors")
        return self

    @field_validator("core")
    @classmethod
    def _core_is_known(cls, value: str) -> str:
        if value not in names():
            raise ValueError(f"found {value!r}; write one of {', '.join(names())}")
        return value

    @model_validator(mode="after")
    def _the_core_has_what_is_said(self) -> "Board":
        core = core_of(self.core)
        if self.dsp and not core.dsp:
            raise ValueError(f"found dsp = true; a {self.core} has no DSP extension: write dsp = false")
        if self.fpu not in ("none", *core.fpus):
            allowed = " or ".join(f'"{fpu}"' for fpu in ("none", *core.fpus))
            raise ValueError(f'found fpu = "{self.fpu}"; a {self.core} may have {allowed}')
        wanted = CLOCK_SETUPS.get(self.clock_setup or "", self.core)
        if wanted != self.core:
            raise ValueError(
                f'found clock_setup = "{self.clock_setup}", which is for a {wanted}, and core = "{self.core}"; write a '
                'C file of yours (clock_setup = "clock.c"), or the reset_clock that the core keeps without one'
            )
        return self

    @model_validator(mode="after")
    def _external_ram_is_set_up(self) -> "Board":
        outside = [region for region in self.memory if region.kind == "ram" and region.origin in _EXTERNAL]
        if outside and (self.clock_setup is None or self.clock_setup in CLOCK_SETUPS):
            raise ValueError(
                f"found {outside[0].name} at 0x{outside[0].origin:08x}, outside of the chip: it holds nothing before "
                'its controller is set up; do that in a C file of yours, which runs first (clock_setup = "clock.c"), '
                "or leave it out"
            )
        return self

    @field_validator("clock_setup")
    @classmethod
    def _clock_setup_is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in CLOCK_SETUPS and not value.endswith(".c"):
            raise ValueError(f"found {value!r}; write one of {', '.join(CLOCK_SETUPS)}, or a C file of yours: clock.c")
        return value

    @model_validator(mode="after")
    def _the_clock_is_known(self) -> "Board":
        if self.clock_setup is None and self.reset_clock is None:
            raise ValueError(
                "found neither clock_setup nor reset_clock: the firmware would keep the clock that the core has after "
                'reset; say which that is (reset_clock = "16MHz"), or what sets another (clock_setup = "clock.c")'
            )
        if self.reset_clock is not None and self.reset_clock > self.clock:
            raise ValueError(
                f"found reset_clock = {self.reset_clock} Hz above clock = {self.clock} Hz, the fastest that the core "
                "may have; correct one"
            )
        return self

    @model_validator(mode="after")
    def _the_chip_starts_from_its_flash(self) -> "Board":
        flash = self.flash
        found = f"found {flash.name}, the largest flash, at 0x{flash.origin:08X}"
        if flash.origin in _EXTERNAL:
            raise ValueError(
                f"{found}, outside of the chip: no core starts there without a header (i.MX RT) or a loader, which "
                "mcubuild does not write; leave it out and give the flash that the chip starts from"
            )
        wanted = _BOOT_ROMS.get((flash.origin, self.core))
        if wanted and self.boot is None:
            raise ValueError(f'{found}: {wanted}; boot = "vectors" if this chip starts from a vector table there')
        if self.boot == "rp2040" and not flash.wait_states:
            raise ValueError(
                f'{found}, with wait_states = 0: with boot = "rp2040" it is read through one wire at a quarter of the '
                "clock; 8 bytes, a line of its cache, take (8 + 24 + 64) * 4 = 384 cycles"
            )
        if self.boot == "rp2040" and (flash.origin, self.core) != (0x1000_0000, "cortex-m0plus"):
            raise ValueError(f'{found}, and a {self.core} with boot = "rp2040"; that is a cortex-m0plus at 0x10000000')
        return self

    @property
    def runs_at(self) -> int:
        """Core clock in Hz that the firmware runs at."""
        if self.clock_setup is None:
            assert self.reset_clock is not None
            return self.reset_clock
        return self.clock

    @property
    def clock_origin(self) -> str:
        """Why the firmware runs at that clock."""
        if self.clock_setup is None:
            return "the clock after reset, as the board's file names no clock_setup"
        return f"set by {self.clock_setup}" if self.clock_code else "set by the firmware"

    @property
    def vector_table(self) -> int:
        """Address of the vector table."""
        return self.flash.origin + (SECOND_STAGE_BYTES if self.boot == "rp2040" else 0)

    @property
    def flash(self) -> Memory:
        """The largest flash region: code and constants go there."""
        return max((region for region in self.memory if region.kind == "flash"), key=lambda region: region.size)

    @property
    def ram_banks(self) -> tuple[tuple[Memory, ...], ...]:
        """Runs of RAM regions that are contiguous in the address space, the largest run first.

        One buffer may lie across the regions of a run (64 kB DTCM + 240 kB SRAM1 + 16 kB SRAM2 on the STM32F746).
        """
        regions = [region for region in self.memory if region.kind == "ram" and not region.code_only]
        runs: list[list[Memory]] = []
        for region in sorted(regions, key=lambda region: region.origin):
            if runs and runs[-1][-1].end == region.origin:
                runs[-1].append(region)
            else:
                runs.append([region])
        return tuple(sorted((tuple(run) for run in runs), key=lambda run: -sum(region.size for region in run)))

    @property
    def sram_bytes(self) -> int:
        """Bytes of the largest contiguous run of RAM, which holds arena, data and stack."""
        return sum(region.size for region in self.ram_banks[0])

    @property
    def flash_bytes(self) -> int:
        """Bytes of the flash that code and constants go to."""
        return self.flash.size


def board_files() -> dict[str, Path]:
    """The file of each board, by name, sorted; a project's own come before those that mcubuild brings."""
    return {path.stem: path for path in files("boards/*.toml").values()}


def board_names() -> list[str]:
    """Names of the boards that have a file, sorted."""
    return list(board_files())


def read_board(name: str) -> Board:
    """The board that ``boards/<name>.toml`` describes, in the project or among those that mcubuild brings.

    Raises:
        BuildError: there is no such file, or it is not valid.
    """
    boards = board_files()
    if name not in boards:
        close = difflib.get_close_matches(name, boards, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"add boards/{name}.toml to describe a new one."
        raise BuildError(f"unknown board {name!r}; known boards: {', '.join(boards)}; {hint}")
    return board_in(boards[name])


def board_in(path: Path) -> Board:
    """The board that the file ``path`` describes.

    Raises:
        BuildError: it is not valid.
    """
    board = read_toml(path, Board, {"name": path.stem, "clock_code": None})
    if board.clock_setup is None or board.clock_setup in CLOCK_SETUPS:
        return board
    return board.model_copy(update={"clock_code": _clock_code(path, board.clock_setup)})


def uart_code(board: Board) -> str:
    """The C file that ``desk.uart`` of ``board`` names.

    Raises:
        BuildError: it names none, or one that cannot be read or lacks a function.
    """
    path = board_files()[board.name]
    if board.desk is None or board.desk.uart is None:
        raise BuildError(
            f"{path}: desk.uart: found none, so the firmware cannot talk over a serial port; name a C file that has "
            'uart_setup, uart_read and uart_write, desk = { uart = "uart.c" }: docs/boards.md has one.'
        )
    code = _c_file(path, "desk.uart", board.desk.uart)
    for name in ("uart_setup", "uart_read", "uart_write"):
        if not re.search(rf"\b{name}\s*\(", code):
            raise BuildError(f"{path}: desk.uart: found no function {name} in {board.desk.uart!r}; define it.")
    return code


def _clock_code(path: Path, name: str) -> str:
    """The C file ``name`` beside the board's file ``path``."""
    code = _c_file(path, "clock_setup", name)
    if not re.search(r"\buint32_t\s+clock_setup\s*\(\s*void\s*\)", code):
        raise BuildError(f"{path}: clock_setup: found no function uint32_t clock_setup(void) in {name!r}; define it.")
    return code


def _c_file(path: Path, key: str, name: str) -> str:
    """The file ``name`` that the ``key`` of the board's file ``path`` names."""
    try:
        return (path.parent / name).read_bytes().decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise BuildError(f"{path}: {key}: found {name!r}, which cannot be read ({reason}).") from None
