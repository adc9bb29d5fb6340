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


def write_pace(time: float, forecast: Callable[[float], Mapping[str, float]], path: Path) -> None:
    """Write pace.json for a ``time`` in seconds.

    Not all that takes time is in proportion to the factor: judging and drawing networks are not. So a second forecast,
    at the factor that proportion would give, corrects it.

    Args:
        time: for all stages together.
        forecast: seconds of each stage, by name, at a factor.
        path: of the file.
    """
    planned, seconds = _KEPT_BACK * time, forecast(1.0)
    whole = sum(seconds.values())
    factor = _possible(planned / whole)
    there = sum(forecast(factor).values())
    if there > planned and (there - whole) * (factor - 1) > 0:
        a_unit = (there - whole) / (factor - 1)
        factor = _possible(factor - (there - planned) / a_unit)
    write_json({"time": time, "seconds": dict(seconds), "factor": factor}, path)


def _possible(factor: float) -> float:
    return max(_LEAST, min(_MOST, factor))


def read_factor(path: Path | None) -> float:
    """The factor in pace.json; 1 where the spec gives no time."""
    if path is None:
        return 1.0
    factor: float = json.loads(path.read_text(encoding="utf-8"))["factor"]
    return factor
