"""Networks that stand for their spaces in a race, and contenders.json, where they wait for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcubuild.nas.space.arch import Arch, Space
from mcubuild.nas.space.files import write_json


@dataclass(frozen=True)
class Contender:
    """A network that stands for its space."""

    arch: Arch
    macs: int
    """Multiply-accumulates of an inference."""
    flash: int
    """Bytes that it needs."""
    neighbours: tuple[Space, ...] = ()
    """Spaces that would share the super network of its space."""


def write_contenders(contenders: Sequence[Contender], path: Path) -> None:
    """Write contenders.json."""
    rows = [
        {
            "arch": one.arch.to_json(),
            "macs": one.macs,
            "flash": one.flash,
            "neighbours": [space.to_json() for space in one.neighbours],
        }
        for one in contenders
    ]
    write_json(rows, path)


def read_contenders(path: Path) -> list[Contender]:
    """The content of contenders.json."""
    return [
        Contender(
            Arch.from_json(row["arch"]), row["macs"], row["flash"], tuple(map(Space.from_json, row["neighbours"]))
        )
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]
