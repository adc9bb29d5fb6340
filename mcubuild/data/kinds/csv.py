"""Tables of the user, cut into windows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import files_below

if TYPE_CHECKING:
    from mcubuild.data.tables import Table
    from mcubuild.spec.datasets.csv import CsvSettings


def _tables(path: Path) -> dict[str, Path]:
    if path.is_dir():
        return {name: file for name, file in files_below(path).items() if file.suffix.lower() == ".csv"}
    return {path.name: path} if path.is_file() else {}


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    return _tables(root / settings["path"])


def _find(settings: "CsvSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.checks import counted
    from mcubuild.data.samples import Windows
    from mcubuild.data.tables import read_table, windows
    from mcubuild.errors import BuildError
    from mcubuild.progress import bar

    path = root / settings.path
    files = _tables(path)
    if not files:
        raise BuildError(f"{path}: no such table, or no .csv file in the folder; dataset.path names one or the other.")
    tables: list[Table] = []
    with bar("read tables", len(files)) as progress:
        for name, file in files.items():
            tables.append(read_table(file, name, settings))
            progress.advance()
    for table in tables[1:]:
        if table.columns != tables[0].columns:
            raise BuildError(
                f"{path}: {table.name} has the columns {', '.join(table.columns)}, {tables[0].name} "
                f"{', '.join(tables[0].columns)}; make them the same, or name those to read in dataset.columns."
            )
    cut = [window for table in tables for window in windows(table, settings.window, settings.stride or settings.window)]
    if not cut:
        raise BuildError(
            f"{path}: no {settings.window} rows behind each other have one label{_of(settings.group)}; give "
            f"dataset.window fewer."
        )
    classes = _sorted({window.label for window in cut})
    if lost := _sorted({label for table in tables for label in table.labels if label} - {*classes}):
        raise BuildError(
            f"{path}: the class {lost[0]!r} has no {settings.window} rows behind each other{_of(settings.group)}, "
            f"so it would have no sample; give dataset.window fewer, or remove its rows."
        )
    if len(classes) < 2:
        raise BuildError(
            f"{path}: found {len(classes)} class in the column {settings.label!r}; at least two are needed."
        )
    number = {name: label for label, name in enumerate(classes)}
    groups = None
    splits: list[str | None] = [None] * len(cut)
    if settings.group is not None:
        groups = [window.group for window in cut]
        held = {group: split for split in ("val", "test") for group in getattr(settings, split) or ()}
        if strange := [group for group in held if group not in groups]:
            raise BuildError(
                f"dataset.{held[strange[0]]}: found {strange[0]!r}, which no window has in the column "
                f"{settings.group!r}; there are {', '.join(_sorted(set(groups))[:10])}."
            )
        splits = [held.get(group) for group in groups]
    elif (settings.stride or settings.window) < settings.window:
        groups = [window.stretch for window in cut]
    rows = sum(len(table.labels) for table in tables)
    used = sum(window.fresh for window in cut)
    told = list[str]()
    if used < rows:
        told.append(
            f"Rows in no window, as a label{_of(settings.group)} or a table ends before: {rows - used} of {rows}"
        )
    if empty := [table.name for table in tables if not table.labels]:
        told.append(counted("Tables without a row below the names of columns", empty, len(tables)))
    return Found(
        tuple(classes),
        np.array([number[window.label] for window in cut], np.int64),
        Windows(
            np.stack([window.values for window in cut]),
            [window.name for window in cut],
            tables[0].columns,
            settings.corrupt,
        ),
        splits,
        groups,
        {"val": settings.val_fraction, "test": settings.test_fraction},
        cautions=tuple(told),
    )


def _of(group: str | None) -> str:
    return "" if group is None else " and one group"


def _sorted(names: set[str]) -> Sequence[str]:
    """By number where all are numbers."""
    return sorted(names, key=int) if all(name.isascii() and name.isdecimal() for name in names) else sorted(names)


KIND = Kind("arrays", _sources, _find)
