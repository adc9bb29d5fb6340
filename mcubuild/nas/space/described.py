"""The network in arch.json, whichever kind it is."""

import json
from pathlib import Path

from mcubuild.nas.space.arch import Arch
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.blocks import Described


def read_described(path: Path) -> Described:
    """The network in arch.json, searched for or published."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return Baseline.from_json(values) if "baseline" in values else Arch.from_json(values)
