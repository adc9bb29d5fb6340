"""Fields of TOML models that hold a quantity with a unit."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from mcubuild.resolution import Resolution, parse_resolution, square
from mcubuild.units import parse_energy, parse_frequency, parse_share, parse_size, parse_time

Bytes = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str | int)]
"""A size in bytes, written as ``"256kB"`` in TOML."""

Seconds = Annotated[float, BeforeValidator(parse_time, json_schema_input_type=str), PlainSerializer(float)]
"""A duration in seconds, written as ``"100ms"`` or ``"5fps"`` in TOML."""

Joules = Annotated[float, BeforeValidator(parse_energy, json_schema_input_type=str), PlainSerializer(float)]
"""An energy in joules, written as ``"5mJ"`` in TOML."""

Hertz = Annotated[int, BeforeValidator(parse_frequency, json_schema_input_type=str | int)]
"""A frequency in Hz, written as ``"216MHz"`` in TOML."""

Share = Annotated[float, BeforeValidator(parse_share, json_schema_input_type=str | float), PlainSerializer(float)]
"""A share of a whole, 0 ... 1, written as ``"90%"`` or ``0.9`` in TOML."""

_LEAST_SIDE, _MOST_SIDE = 8, 512


def _within_bounds(value: Resolution) -> Resolution:
    if not (value.covers(square(_LEAST_SIDE)) and square(_MOST_SIDE).covers(value)):
        raise ValueError(f"found {value} pixels; a side has {_LEAST_SIDE} to {_MOST_SIDE}")
    return value


_Side = Annotated[int, Field(ge=_LEAST_SIDE, le=_MOST_SIDE)]
_HeightAndWidth = Annotated[str, Field(pattern=r"^\d+x\d+$")]
Sides = Annotated[
    Resolution,
    BeforeValidator(parse_resolution, json_schema_input_type=_Side | _HeightAndWidth),
    AfterValidator(_within_bounds),
    PlainSerializer(lambda value: value.height if value.height == value.width else str(value), int | str),
]
"""A resolution in pixels: a side, or height x width as ``"128x160"`` in TOML."""
