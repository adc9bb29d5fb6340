"""A time that the user gives becomes a factor on the length of every training, and of the search.

The factor is found once, by a forecast, and kept in pace.json: what is made from it is a function of its inputs again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mcubuild.nas.files import write_json

_KEPT_BACK: Final = 0.8
"""Share of the time that is planned with: forecasts of parts that are not known yet may be too short."""
_LEAST: Final = 0.01
_MOST: Final = 20.0
"""Beyond it nothing is learned any more; validation ends trainings far earlier."""


def write_pace(time: float, seconds: Mapping[str, float], path: Path) -> None:
    """Write pace.json for a ``time`` in seconds, shared by stages that take so many ``seconds`` by themselves."""
    factor = max(_LEAST, min(_MOST, _KEPT_BACK * time / sum(seconds.values())))
    write_json({"time": time, "seconds": dict(seconds), "factor": factor}, path)


def read_factor(path: Path | None) -> float:
    """The factor in pace.json; 1 where the spec gives no time."""
    if path is None:
        return 1.0
    factor: float = json.loads(path.read_text(encoding="utf-8"))["factor"]
    return factor
