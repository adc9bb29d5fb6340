"""What a format is: a module of ``mcubuild.export.formats`` with a ``FORMAT``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.engine.emit.naming import file_name
from mcubuild.export import formats

if TYPE_CHECKING:
    from mcubuild.board import Board
    from mcubuild.data.splits import Index
    from mcubuild.ir.graph import Graph

NETWORK = ("model.json", "model.npz")
IMAGE = ("firmware.bin",)
C = ("c/model.h", "c/model.c", "c/weights.h", "c/weights.c", "c/kernels.S", "c/preprocess.c", "c/README.md")
INDEX = ("index.json",)


@dataclass(frozen=True)
class Built:
    """A spec's build, of which a format reads what it ``needs``."""

    name: str
    """Of the spec: letters, digits, ``_``, ``.`` and ``-``."""
    folder: Path
    board: "Board"
    prefix: str
    """Of the network's C."""
    brought: bool = False
    """Whether the network is one of the user's own."""

    @cached_property
    def graph(self) -> "Graph":
        """The quantised network."""
        from mcubuild.ir.files import read_graph

        return read_graph(self.folder)

    @cached_property
    def index(self) -> "Index | None":
        """The data set, where there is one."""
        from mcubuild.data.splits import read_index

        path = self.folder / INDEX[0]
        return read_index(path) if path.is_file() else None

    @property
    def classes(self) -> tuple[str, ...]:
        """By label; none where the network has none or they are not known."""
        return self.index.classes if self.index else ()

    @property
    def pictures(self) -> bool:
        """Whether the network was trained here on pictures, so that int8 = level - 128."""
        return self.index is not None and not (self.brought or self.index.series or self.index.front_end)

    @property
    def image(self) -> bytes:
        """The firmware, from the first address of the board's flash on."""
        return (self.folder / IMAGE[0]).read_bytes()

    def c(self, name: str) -> Path:
        """A file of the network's C, by the name that it has without a prefix."""
        return self.folder / "c" / file_name(name, self.prefix)


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    told: str
    """About it, such as its size."""
    next: str
    """What its user does with it, as a sentence without its full stop."""


@dataclass(frozen=True)
class Format:
    """A format."""

    needs: tuple[str, ...]
    """Artifacts that are built first, by their names without a prefix."""
    write: Callable[[Built, Path], Exported]
    """Writes to an existing folder; raises BuildError where this build cannot be told in the format."""
    optional: tuple[str, ...] = ()
    """Artifacts that it reads as well, where the spec has a stage that writes them."""


@cache
def format_of(name: str) -> Format:
    """The format called ``name``, one of ``formats.names()``."""
    found: Format = import_module(f"{formats.__name__}.{name}").FORMAT
    return found
