"""Quantities as people write them in TOML ("256kB", "100ms", "5fps"), and back."""

import re
from math import ceil, isfinite

from mcubuild.errors import shown

_SIZE_UNITS = {"B": 1, "kB": 1024, "KB": 1024, "KiB": 1024, "MB": 1024**2, "MiB": 1024**2}
_TIME_UNITS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_ENERGY_UNITS = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6}
_FREQUENCY_UNITS = {"Hz": 1, "kHz": 1_000, "MHz": 1_000_000, "GHz": 1_000_000_000}
MOST = 1e6
"""Seconds or joules: more is a slip, and what is computed from it might not be finite."""
_FASTEST = 100_000_000_000
"""Hz."""
_ADDRESS_SPACE = 2**32
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def _split(text: object, examples: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or not isfinite(float(match[1])):
        raise ValueError(f"found {shown(text)}; write a number with a unit, such as {examples}")
    return float(match[1]), match[2]


def parse_size(text: object) -> int:
    """Bytes of a size such as ``"256kB"`` or ``"1MB"``; 1 kB = 1024 B, as on data sheets.

    Raises:
        ValueError: no number, unknown unit, no whole number of bytes, or more than 32-bit addresses reach.
    """
    written = f"{text}B" if type(text) is int and abs(text) <= _ADDRESS_SPACE else text
    number, unit = _split(written, '"256kB" or "1MB"')
    if unit not in _SIZE_UNITS:
        raise ValueError(f"found {shown(text)}; the unit of a size is one of B, kB, MB (1 kB = 1024 B)")
    size = number * _SIZE_UNITS[unit]
    if not 1 <= size <= _ADDRESS_SPACE or size != int(size):
        raise ValueError(f"found {shown(text)}; a size is a whole number of bytes, from 1 to 4096 MB")
    return int(size)


def parse_time(text: object) -> float:
    """Seconds of a duration such as ``"100ms"`` or of a rate such as ``"5fps"`` (one frame: 0.2 s); floats are seconds.

    Raises:
        ValueError: no number, unknown unit, or zero.
    """
    if isinstance(text, float) and 0 < text <= MOST:
        return text
    number, unit = _split(text, '"100ms" or "5fps"')
    if unit != "fps" and unit not in _TIME_UNITS:
        raise ValueError(f"found {shown(text)}; the unit of a time is one of h, min, s, ms, us, or fps for a rate")
    seconds = number * _TIME_UNITS.get(unit, 0)
    if unit == "fps" and number:
        seconds = 1.0 / number
    if not 0 < seconds <= MOST:
        raise ValueError(f"found {shown(text)}; a time is above 0 and at most {MOST:.0f} s")
    return seconds


def parse_energy(text: object) -> float:
    """Joules of an energy such as ``"5mJ"``; floats are joules.

    Raises:
        ValueError: no number, unknown unit, or zero.
    """
    if isinstance(text, float) and 0 < text <= MOST:
        return text
    number, unit = _split(text, '"5mJ"')
    joules = number * _ENERGY_UNITS.get(unit, 0)
    if not 0 < joules <= MOST:
        raise ValueError(
            f"found {shown(text)}; an energy has the unit J, mJ or uJ, is above 0 and at most {MOST:.0f} J"
        )
    return joules


def parse_frequency(text: object) -> int:
    """Hertz of a frequency such as ``"216MHz"``.

    Raises:
        ValueError: no number, unknown unit, zero, or above 100 GHz.
    """
    written = f"{text}Hz" if type(text) is int and abs(text) <= _FASTEST else text
    number, unit = _split(written, '"216MHz"')
    hertz = number * _FREQUENCY_UNITS.get(unit, 0)
    if not 1 <= hertz <= _FASTEST:
        raise ValueError(f"found {shown(text)}; a frequency has the unit Hz, kHz, MHz or GHz, from 1 Hz to 100 GHz")
    return round(hertz)


def parse_share(text: object) -> float:
    """A share of a whole, 0 ... 1, such as ``"90%"``, ``"0.9"`` or 0.9.

    Raises:
        ValueError: no number, or not above 0 and at most 1. A whole number is refused, as 1 may mean 1 % or all.
    """
    if isinstance(text, float):
        number, unit = text, ""
    else:
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(%?)\s*", text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f'found {text!r}; write a share as "90%" or 0.9')
        number, unit = float(match[1]), match[2]
    share = number / 100 if unit else number
    if not 0 < share <= 1:
        raise ValueError(f'found {text!r}; a share is above 0 and at most 100 %: "90%" or 0.9')
    return share


def format_size(size: float) -> str:
    """``size`` bytes for people: ``"512 B"``, ``"62.5 kB"``, ``"1.2 MB"``."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    if abs(size) < 1024**2:
        return f"{size / 1024:.1f} kB"
    return f"{size / 1024**2:.2f} MB"


def format_bytes(count: float) -> str:
    """``count`` bytes on a disk or a wire for people, where 1 GB = 10^9 B: ``"20.4 GB"``, ``"253 MB"``, ``"3 kB"``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= 0.9995 * size:
            return f"{count / size:.3g} {unit}"
    return f"{ceil(count / 1e3)} kB"


def format_time(seconds: float) -> str:
    """``seconds`` for people: ``"1.5 h"``, ``"3.2 min"``, ``"2.4 s"``, ``"48.1 ms"``, ``"120.0 us"``, ``"0 s"``."""
    if seconds == 0:
        return "0 s"
    for least, unit, name in ((7200, 3600, "h"), (120, 60, "min"), (1, 1, "s"), (1e-3, 1e-3, "ms")):
        if abs(seconds) >= least * 0.99995:  # what rounds to "1000.0 ms" is "1.0 s"
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds * 1e6:.1f} us"


def format_energy(joules: float) -> str:
    """``joules`` for people: ``"2.35 J"``, ``"1.85 mJ"``, ``"370 uJ"``."""
    for least, unit in ((1, "J"), (1e-3, "mJ")):
        if abs(joules) >= least * 0.9995:  # what rounds to 1000 mJ is 1 J
            return f"{joules / least:.3g} {unit}"
    return f"{joules * 1e6:.3g} uJ"
