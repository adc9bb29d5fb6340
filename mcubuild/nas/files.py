"""The JSON files between the stages: equal values give equal bytes."""

import json
from pathlib import Path
from typing import Any

from mcubuild.nas.arch import Arch, Space


def write_json(values: Any, path: Path) -> None:
    """Write ``values`` with sorted keys and an indent of 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_space(path: Path) -> Space:
    """The search space in space.json."""
    return Space.from_json(json.loads(path.read_text(encoding="utf-8")))


def read_arch(path: Path) -> Arch:
    """The network in arch.json."""
    return Arch.from_json(json.loads(path.read_text(encoding="utf-8")))
