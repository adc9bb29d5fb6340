"""What an operator of a .tflite file is to the importer: how it is converted, and what of it is supported."""

from collections.abc import Callable
from dataclasses import dataclass

from mcubuild.importers.builder import Node

UNSIGNED = ("INT8", "INT16", "UINT8")
"""Types of operators whose arithmetic on UINT8 is that on INT8, 128 more."""


@dataclass(frozen=True)
class Converter:
    """One operator of the schema."""

    convert: Callable[[Node], None]
    """Writes to the node's builder; raises UnsupportedError or ValueError with what it found, the caller adds where."""
    types: tuple[str, ...] = ("INT8", "INT16")
    """Of its activations."""
    limits: str = ""
    """What of it is not supported, for users; part of docs/operators.md."""
    own: bool = False
    """Whether the schema does not have it: importers of other formats alone write it."""
