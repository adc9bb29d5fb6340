"""sizes.json: what a linked firmware takes."""

from mcubuild.artifacts import Artifact

SIZES = "sizes.json"


class SectionSize(Artifact, frozen=True):
    """A section."""

    bytes: int
    memory: str
    """Names of the memories that it lies in, joined by ``+``."""


class SymbolSize(Artifact, frozen=True):
    """A function or an object."""

    name: str
    bytes: int
    section: str


class MemoryUse(Artifact, frozen=True):
    """A memory of the board, in bytes."""

    used: int
    size: int


class Sizes(Artifact, frozen=True):
    """The whole file; all sizes in bytes."""

    sections: dict[str, SectionSize]
    flash_bytes: int
    sram_static_bytes: int
    """Arena and other variables."""
    stack_reserved: int
    memories: dict[str, MemoryUse]
    symbols: tuple[SymbolSize, ...]
    """The largest first."""
    toolchain: str
    """Name and version of the compiler."""

    def section(self, name: str) -> int:
        """Bytes of a section; 0 if there is none."""
        return self.sections[name].bytes if name in self.sections else 0

    @property
    def arena(self) -> int:
        """Bytes of the arena."""
        return self.section(".arena")

    @property
    def static(self) -> int:
        """Bytes of other variables."""
        return self.sram_static_bytes - self.arena
