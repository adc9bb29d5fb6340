"""What a linked ELF needs of each memory: sizes.json, flash image, map, and the message when it does not fit."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.sizes import SIZES, MemoryUse, SectionSize, Sizes, SymbolSize
from mcubuild.units import format_size

if TYPE_CHECKING:
    from mcubuild.board import Board, Memory

_ALLOCATED = 2  # SHF_ALLOC
_SHOWN = 3
"""Largest symbols to name of a memory that is too small."""
_STATIC = (".arena", ".data", ".bss")

ROOM = 32 << 20
"""Bytes of every memory when the firmware is linked to see by how much it is too large."""


@dataclass(frozen=True)
class Section:
    """A section that takes room on the board."""

    name: str
    address: int
    size: int
    """Bytes."""
    load_address: int | None
    """Where in flash its content lies; None where it has none (.bss, .arena, .stack)."""
    content: bytes


@dataclass(frozen=True)
class Symbol:
    """A function or an object."""

    name: str
    address: int
    """Without the Thumb bit."""
    size: int
    """Bytes."""
    section: str


@dataclass(frozen=True)
class Image:
    """A linked ELF."""

    sections: tuple[Section, ...]
    """By address."""
    symbols: tuple[Symbol, ...]
    """The largest first; of several names for one thing the first in the alphabet."""


def read_image(path: Path) -> Image:
    """Sections and symbols of the ELF at ``path``."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = [s for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]]
        sections = []
        for section in elf.iter_sections():
            if not section["sh_flags"] & _ALLOCATED or not section["sh_size"]:
                continue
            address, size = section["sh_addr"], section["sh_size"]
            load, content = None, b""
            if section["sh_type"] != "SHT_NOBITS":
                segment = next(s for s in segments if s["p_vaddr"] <= address < s["p_vaddr"] + s["p_filesz"])
                load, content = address - segment["p_vaddr"] + segment["p_paddr"], section.data()
            sections.append(Section(section.name, address, size, load, content))
        names = [section.name for section in elf.iter_sections()]
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection), "linked without stripping"
        symbols: dict[tuple[int, int], Symbol] = {}
        for entry in table.iter_symbols():
            index, size = entry["st_shndx"], entry["st_size"]
            if entry["st_info"]["type"] not in ("STT_FUNC", "STT_OBJECT") or not size or not isinstance(index, int):
                continue
            address = entry["st_value"] & ~1 if entry["st_info"]["type"] == "STT_FUNC" else entry["st_value"]
            symbol = Symbol(entry.name, address, size, names[index])
            key = (address, size)
            if key not in symbols or symbol.name < symbols[key].name:
                symbols[key] = symbol
    ordered = sorted(symbols.values(), key=lambda symbol: (-symbol.size, symbol.name))
    return Image(tuple(sorted(sections, key=lambda section: section.address)), tuple(ordered))


def flash_image(image: Image, board: "Board") -> bytes:
    """What a flash programmer writes from the first address of the flash on; gaps are 0xFF, as erased."""
    content = bytearray()
    for section in sorted((s for s in image.sections if s.load_address is not None), key=lambda s: s.load_address or 0):
        assert section.load_address is not None
        start = section.load_address - board.flash.origin
        content.extend(b"\xff" * (start - len(content)))
        content[start : start + len(section.content)] = section.content
    return bytes(content)


def write(elf: Path, board: "Board", stack: int, toolchain: str, out: Path) -> None:
    """Write firmware.bin, firmware.map and sizes.json next to firmware.elf."""
    image = read_image(elf)
    (out / "firmware.bin").write_bytes(flash_image(image, board))
    (out / "firmware.map").write_text(_map(image), encoding="utf-8")
    sizes = Sizes(
        sections={s.name: SectionSize(s.size, _memory_names(s, board)) for s in image.sections},
        flash_bytes=len(flash_image(image, board)),
        sram_static_bytes=sum(s.size for s in image.sections if s.name in _STATIC),
        stack_reserved=stack,
        memories={m.name: MemoryUse(used(image, m, board), m.size) for m in board.memory},
        symbols=tuple(SymbolSize(s.name, s.size, s.section) for s in image.symbols),
        toolchain=toolchain,
    )
    write_artifact(sizes, out / SIZES)


def used(image: Image, memory: "Memory", board: "Board") -> int:
    """Bytes of ``memory`` that are taken: from the first to the last byte of the flash image, or by sections in RAM."""
    if memory == board.flash:
        return len(flash_image(image, board))
    return sum(
        max(0, min(section.address + section.size, memory.end) - max(section.address, memory.origin))
        for section in image.sections
    )


def _memory_names(section: Section, board: "Board") -> str:
    end = section.address + section.size
    return "+".join(m.name for m in board.memory if section.address < m.end and m.origin < end)


def _map(image: Image) -> str:
    lines = ["address     bytes  section          symbol"]
    for section in image.sections:
        lines.append(f"0x{section.address:08x} {section.size:6d}  {section.name}")
        within = [symbol for symbol in image.symbols if symbol.section == section.name]
        for symbol in sorted(within, key=lambda symbol: (symbol.address, symbol.name)):
            lines.append(f"0x{symbol.address:08x} {symbol.size:6d}  {'':16} {symbol.name}")
    return "\n".join(lines) + "\n"


def overflow(elf: Path, board: "Board") -> list[str]:
    """The message, by lines, for firmware that does not fit: an ELF that was linked with ``ROOM`` in every memory."""
    image = read_image(elf)
    runs = [(board.flash,), *board.ram_banks]
    lines = [f"the firmware does not fit {board.title}:", f"  {'memory':22} {'used':>10} {'size':>10} {'over by':>10}"]
    for run in runs:
        origin, size = run[0].origin, sum(region.size for region in run)
        sections = {s.name: s.size for s in image.sections if origin <= s.address < origin + ROOM}
        taken = len(flash_image(image, board)) if run[0] == board.flash else sum(sections.values())
        if not taken:
            continue
        over = format_size(taken - size) if taken > size else ""
        name = " + ".join(region.name for region in run)
        lines.append(f"  {name:22} {format_size(taken):>10} {format_size(size):>10} {over:>10}")
        if over:
            largest = [symbol for symbol in image.symbols if symbol.section in sections][:_SHOWN]
            lines += [f"    {symbol.name:20} {format_size(symbol.size):>10}  {symbol.section}" for symbol in largest]
    lines.append(
        'A search: lower budget.sram or budget.flash. A file: set [engine] plan = "smallest", or quantise its weights '
        "to 4 bits. Or choose a larger board."
    )
    return lines
