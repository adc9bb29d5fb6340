"""What ONNX files and PyTorch's exported programs have in common: named operators on tensors, channels first.

Operators and their options have the names and meaning of ONNX; a reader of another format translates to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

MOST_BYTES: Final = 1 << 28
MOST_CALLS: Final = 4096
MOST_ELEMENTS: Final = 1 << 24
"""Limits far above what any microcontroller runs, so that a hostile file costs neither time nor memory."""


@dataclass(frozen=True)
class Input:
    """An input of the network."""

    name: str
    shape: tuple[int, ...]
    """With a batch of 1 where the file leaves the size open."""
    dtype: str
    """numpy's name."""


@dataclass(frozen=True)
class Call:
    """An operator of the network."""

    kind: str
    """ONNX's name, such as ``Conv``."""
    inputs: tuple[str, ...]
    """Names of values; empty for an optional one that is not there."""
    outputs: tuple[str, ...]
    options: Mapping[str, Any]
    """ONNX's attributes: numbers, tuples of them, bytes as ``str``, arrays."""
    place: str
    """What the file's author calls it, for messages."""


@dataclass(frozen=True)
class Program:
    """The network in a file."""

    path: Path
    calls: tuple[Call, ...]
    """Each after those whose results it reads."""
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    version: int = 21
    """Of ONNX's operators (opset)."""


def printable(name: str, most: int = 200) -> str:
    """``name`` as it may stand in messages, in C comments and in file names: its end."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in name)[
        -most:
    ]
