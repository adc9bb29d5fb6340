"""The JSON files between the stages: equal values give equal bytes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcubuild.nas.space.arch import Arch, Space

_NEIGHBOURS = "neighbours"


def write_json(values: Any, path: Path) -> None:
    """Write ``values`` with sorted keys and an indent of 1, beside ``path``, and rename: the file is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(path)


def read_space(path: Path) -> Space:
    """The search space in space.json."""
    values = json.loads(path.read_text(encoding="utf-8"))
    values.pop(_NEIGHBOURS, None)
    return Space.from_json(values)


def read_neighbours(path: Path) -> tuple[Space, ...]:
    """The spaces in space.json that share its super network; none unless the spec asks for them."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Space.from_json(neighbour) for neighbour in values.get(_NEIGHBOURS, ()))


def write_space(space: Space, neighbours: Sequence[Space], path: Path) -> None:
    """Write space.json."""
    beside = {_NEIGHBOURS: [neighbour.to_json() for neighbour in neighbours]} if neighbours else {}
    write_json(space.to_json() | beside, path)


def read_arch(path: Path) -> Arch:
    """The network that was searched for, in arch.json."""
    return Arch.from_json(json.loads(path.read_text(encoding="utf-8")))
