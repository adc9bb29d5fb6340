"""A time that the user gives becomes a factor on the length of every training, and of the search.

The factor is found once, by a forecast, and kept in pace.json: what is made from it is a function of its inputs again.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mcubuild.nas.space.files import write_json

_KEPT_BACK: Final = 0.8
"""Share of the time that is planned with: forecasts of parts that are not known yet may be too short."""
_LEAST: Final = 0.01
_MOST: Final = 20.0
"""Beyond it nothing is learned any more; validation ends trainings far earlier."""
_PRECISION: Final = 1e-3


def write_pace(time: float, forecast: Callable[[float], Mapping[str, float]], path: Path) -> None:
    """Write pace.json for a ``time`` in seconds: with the largest factor that keeps it.

    Args:
        time: for all stages together.
        forecast: seconds of each stage, by name, at a factor; more at a larger one.
        path: of the file.
    """
    planned = _KEPT_BACK * time
    low, high = _LEAST, _MOST
    if sum(forecast(high).values()) <= planned:
        low = high
    while high / low > 1 + _PRECISION:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if sum(forecast(middle).values()) <= planned else (low, middle)
    write_json({"time": time, "seconds": dict(forecast(1.0)), "factor": low}, path)


def read_factor(path: Path | None) -> float:
    """The factor in pace.json; 1 where the spec gives no time."""
    if path is None:
        return 1.0
    factor: float = json.loads(path.read_text(encoding="utf-8"))["factor"]
    return factor
