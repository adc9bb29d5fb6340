"""The files that a spec is written in: it may extend another one, and stand for several builds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError, shown
from mcubuild.settings import Source, merged, read_source

EXTENDS, MATRIX = "extends", "matrix"
_MOST = 100
"""Builds that one spec may stand for."""


def read_sources(path: Path, above: tuple[Path, ...] = ()) -> list[Source]:
    """The file ``path`` behind those that it extends, the lowest one first; ``above``: those that extend it.

    Raises:
        BuildError: one is missing or no TOML, or they extend each other in a circle.
    """
    source = read_source(path)
    name = source.values.pop(EXTENDS, None)
    if name is None:
        return [source]
    found = f"{source.place([EXTENDS])}: extends = {shown(name)}"
    if not (isinstance(name, str) and name):
        raise BuildError(f'{found}: must be the path of a TOML file, relative to this one: extends = "base.toml".')
    base, chain = path.parent / name, (*above, path)
    if not base.is_file():
        raise BuildError(f"{found}: there is no file {shown(str(base))}; write its path, relative to {path}.")
    if base.resolve() in [one.resolve() for one in chain]:
        circle = " -> ".join(one.name for one in (*chain, base))
        raise BuildError(f"{found}: files extend each other in a circle, {circle}; remove one extends.")
    return [*read_sources(base, chain), source]


@dataclass(frozen=True)
class Variant:
    """One of the builds that a spec stands for."""

    name: str
    chosen: Mapping[str, Any]
    """The values that [matrix] gives it, by dotted keys."""
    origin: str = ""
    """Where that stands."""


def variants(sources: Sequence[Source], name: str, changes: Mapping[str, str]) -> Iterator[Variant]:
    """The builds that a spec stands for.

    Args:
        sources: of the spec; [matrix] is taken out of them.
        name: of the spec; with the values behind it, those of builds.
        changes: keys that have another value this time: of these, that value alone counts.

    Raises:
        BuildError: [matrix] is no table of lists, gives two builds one name, or stands for too many.
    """
    table: dict[str, Any] = {}
    for source in sources:
        table = merged(table, _table(source))
    if not table:
        yield Variant(name, {})
        return
    place = next(source.place([MATRIX]) for source in reversed(sources) if MATRIX in source.values)
    for source in sources:
        source.values.pop(MATRIX, None)
    axes = {key: [changes[key]] if key in changes else values for key, values in _axes(table, place)}
    choices = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    if len(choices) > _MOST:
        raise BuildError(f"{place}: found [matrix] with {len(choices)} builds; at most {_MOST}: write shorter lists.")
    named = {"-".join([name, *map(_word, choice.values())]): choice for choice in choices}
    if len(named) < len(choices):
        raise BuildError(f"{place}: found [matrix] with values that give two builds one name; write each value once.")
    yield from (Variant(name, choice, f"{place}: [matrix]") for name, choice in named.items())


def _table(source: Source) -> Mapping[str, Any]:
    table = source.values.get(MATRIX, {})
    if not isinstance(table, dict):
        raise BuildError(f"{source.place([MATRIX])}: matrix: found {shown(table)}; must be a table: [matrix].")
    return table


def _axes(table: Mapping[str, Any], place: str, prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    for key, values in table.items():
        if isinstance(values, dict):
            yield from _axes(values, place, f"{prefix}{key}.")
        elif isinstance(values, list) and values:
            yield f"{prefix}{key}", values
        else:
            told = f'must be a list of values, as in board = ["stm32f412", "stm32f746"]; found {shown(values)}'
            raise BuildError(f"{place}: matrix.{prefix}{key}: {told}.")


def _word(value: object) -> str:
    """``value`` in the name of a build."""
    text = "_".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^A-Za-z0-9_.]+", "_", text).strip("_") or "_"
