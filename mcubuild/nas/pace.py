"""A time that the user gives becomes a factor on the length of every training, and of the search.

The factor is found by a forecast and kept in a file: what is made from it is a function of its inputs again. It is
found twice: before the race, for the race (pace.json), and after it, for all else, by the time that is left and the
space that won (rest.json).
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mcubuild.nas.space.files import write_json

GUESSED: Final = 0.8
"""Share of the time that is planned with before the race: what space wins, and how long its networks take to train, is
not known yet."""
KNOWN: Final = 0.9
"""The same after it: other work on the machine comes and goes."""
_LEAST: Final = 0.01
_MOST: Final = 20.0
"""Beyond it nothing is learned any more; validation ends trainings far earlier."""
_PRECISION: Final = 1e-3


def write_pace(time: float, forecast: Callable[[float], Mapping[str, float]], path: Path, planned: float) -> float:
    """Write a file for a ``time`` in seconds: with the largest factor that keeps it, or the least there is.

    Args:
        time: for all stages together.
        forecast: seconds of each stage, by name, at a factor; more at a larger one.
        path: of the file.
        planned: share of the time that the forecast may take.

    Returns:
        Seconds by the forecast: more than ``time`` where even the shortest trainings take longer.
    """
    low, high = _LEAST, _MOST
    if sum(forecast(high).values()) <= planned * time:
        low = high
    while high / low > 1 + _PRECISION:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if sum(forecast(middle).values()) <= planned * time else (low, middle)
    write_json({"time": time, "seconds": dict(forecast(1.0)), "factor": low}, path)
    return sum(forecast(low).values())


def read_factor(path: Path | None) -> float:
    """The factor in such a file; 1 where the spec gives no time."""
    if path is None:
        return 1.0
    factor: float = json.loads(path.read_text(encoding="utf-8"))["factor"]
    return factor
