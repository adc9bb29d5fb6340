"""What a firmware ELF says: bytes to load, symbols, functions."""

import bisect
import struct
from dataclasses import dataclass
from pathlib import Path

from mcubuild.errors import BuildError

_EXECUTABLE = 1  # PF_X


@dataclass(frozen=True)
class Segment:
    """Bytes that a flash programmer writes."""

    address: int
    """Load (physical) address: where the bytes lie before the start-up code runs."""
    data: bytes
    run_address: int
    """Where they lie once the start-up code has copied them."""
    executable: bool
    """Whether there is code among them."""


@dataclass(frozen=True)
class Symbol:
    """A name in the ELF's symbol table."""

    name: str
    address: int
    """Without the Thumb bit."""
    size: int
    """Bytes; 0 for labels."""


class Firmware:
    """A linked firmware image."""

    def __init__(self, path: Path, segments: list[Segment], symbols: dict[str, Symbol], functions: list[Symbol]):
        self.path = path
        self.segments = segments
        self._symbols = symbols
        self._functions = sorted(functions, key=lambda function: function.address)
        self._starts = [function.address for function in self._functions]

    def symbol(self, name: str) -> Symbol:
        """The symbol called ``name``.

        Raises:
            BuildError: the ELF has none.
        """
        if name not in self._symbols:
            raise BuildError(f"{self.path}: the symbol {name!r} is missing; was the ELF stripped or built elsewhere?")
        return self._symbols[name]

    def buffers(self, name: str) -> list[Symbol]:
        """The symbols ``name``, ``name_2``, ``name_3``, ... as far as there are any.

        Raises:
            BuildError: the ELF has not even the first.
        """
        found = [self.symbol(name)]
        while (further := f"{name}_{len(found) + 1}") in self._symbols:
            found.append(self._symbols[further])
        return found

    @property
    def start(self) -> tuple[int, int]:
        """Stack pointer and first instruction after a reset: the vector table, which lies at the lowest address."""
        stack_pointer, reset = struct.unpack_from("<II", min(self.segments, key=lambda part: part.address).data)
        return stack_pointer, reset & ~1

    def has(self, name: str) -> bool:
        """Whether there is a symbol called ``name``."""
        return name in self._symbols

    def function_at(self, address: int) -> str:
        """The name of the function that holds ``address``; a hexadecimal address where there is none."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            function = self._functions[index]
            if address < function.address + max(function.size, 2):
                return function.name
        return f"0x{address:08x}"


def read_firmware(path: Path) -> Firmware:
    """Segments and symbols of the ELF at ``path``.

    Raises:
        BuildError: the file is missing, is no ELF for Arm, or has no symbols.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            if elf["e_machine"] != "EM_ARM":
                raise BuildError(f"{path}: found an ELF for {elf['e_machine']}; an Arm Cortex-M image is needed.")
            segments = [
                Segment(segment["p_paddr"], segment.data(), segment["p_vaddr"], bool(segment["p_flags"] & _EXECUTABLE))
                for segment in elf.iter_segments("PT_LOAD")
                if segment["p_filesz"]
            ]
            table = elf.get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                raise BuildError(f"{path}: has no symbol table; link without stripping (-s).")
            symbols: dict[str, Symbol] = {}
            functions: dict[int, Symbol] = {}
            for entry in table.iter_symbols():
                kind, place = entry["st_info"]["type"], entry["st_shndx"]
                if not entry.name or entry.name.startswith("$") or place == "SHN_UNDEF":
                    continue
                is_function = kind == "STT_FUNC"
                address = entry["st_value"] & ~1 if is_function else entry["st_value"]
                symbol = Symbol(entry.name, address, entry["st_size"])
                symbols[entry.name] = symbol
                if is_function and (address not in functions or symbol.size > functions[address].size):
                    functions[address] = symbol
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}).") from None
    except ELFError as error:
        raise BuildError(f"{path}: not a valid ELF ({error}).") from None
    return Firmware(path, segments, symbols, list(functions.values()))
