"""CSV tables with a row a moment, and the windows that are cut from them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError, reading, shown
from mcubuild.spec.datasets.csv import CsvSettings


@dataclass(frozen=True)
class Table:
    """What a file has; lists have an entry a row."""

    name: str
    columns: tuple[str, ...]
    """Names of the values."""
    values: NDArray[np.float32]
    """(rows, columns); NaN where a cell is empty."""
    labels: list[str]
    groups: list[str]
    """Empty where there are none."""


@dataclass(frozen=True)
class Window:
    """A sample."""

    name: str
    label: str
    group: str
    stretch: str
    """Windows of the same stretch of rows may overlap."""
    fresh: int
    """Rows that are in none of the stretch's windows before."""
    values: NDArray[np.float32]
    """(window, columns)."""


def read_table(path: Path, name: str, settings: CsvSettings) -> Table:
    """The table in ``path``, which messages and samples call ``name``.

    Raises:
        BuildError: it is no table, lacks a column, or has something else than a number among the values.
    """
    with reading(path, "CSV"), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=settings.delimiter, strict=True)
        header = [cell.strip() for cell in next(rows, [])]
        special = [settings.label, *([settings.group] if settings.group is not None else [])]
        columns = settings.columns or tuple(cell for cell in header if cell not in special)
        if missing := [wanted for wanted in (*special, *columns) if wanted not in header]:
            raise BuildError(
                f"{path}: found the columns {shown(', '.join(header))}, but no {missing[0]!r}; name columns that are "
                f"there in dataset.label, group and columns, or set dataset.delimiter."
            )
        if twice := [cell for cell in (*special, *columns) if header.count(cell) > 1]:
            raise BuildError(f"{path}: has two columns {twice[0]!r}; rename one.")
        if "" in columns:
            raise BuildError(
                f"{path}: the column {1 + header.index('')} is a column without a name, such as the row numbers that "
                f"pandas writes: name it, name those to read in dataset.columns, or write the file without "
                f"(index=False)."
            )
        if not columns:
            raise BuildError(f"{path}: has no column but {', '.join(special)}; at least one with values is needed.")
        places = [header.index(column) for column in columns]
        label, group = (header.index(one) if one is not None else None for one in (settings.label, settings.group))
        assert label is not None  # it is not missing
        values, labels, groups = [], list[str](), list[str]()
        for line, row in _numbered(rows, path):
            if not row:
                continue
            if len(row) != len(header):
                raise BuildError(f"{path}:{line}: found {len(row)} cells, the first line has {len(header)}.")
            if odd := [one for one in (label, group) if one is not None and "\n" in row[one]]:
                raise BuildError(
                    f"{path}:{line}: the cell in the column {header[odd[0]]!r} goes on in the next line; close its "
                    f"quotation mark, or remove it."
                )
            try:
                values.append([_number(row[place]) for place in places])
            except ValueError:
                _refuse(path, line, columns, [row[place] for place in places])
            labels.append(row[label].strip())
            groups.append("" if group is None else row[group].strip())
    with np.errstate(over="ignore"):  # what no float can hold becomes infinite, which is told of samples
        return Table(name, columns, np.array(values, np.float32).reshape(-1, len(columns)), labels, groups)


def _number(cell: str) -> float:
    """The number in ``cell``; NaN where it is blank.

    Raises:
        ValueError: it is something else, such as 1_000, which Python takes for a number.
    """
    if "_" in cell:
        raise ValueError
    return float(cell if cell.strip() else "nan")


def _numbered(rows: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row of the CSV reader ``rows`` with the number of the line in which it begins.

    Raises:
        BuildError: quotation marks are not in pairs.
    """
    while True:
        line = rows.line_num + 1
        try:
            yield line, next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise BuildError(
                f"{path}:{line}: {error}; close the quotation mark of the cell that begins there, or remove it."
            ) from None


def _refuse(path: Path, line: int, columns: tuple[str, ...], cells: list[str]) -> None:
    for column, cell in zip(columns, cells, strict=True):
        try:
            _number(cell)
        except ValueError:
            raise BuildError(
                f"{path}:{line}: found {shown(cell)} in the column {shown(column)}; allowed are numbers with a point, "
                f"and nothing where one is missing: correct it, or name the columns with values in dataset.columns."
            ) from None


def windows(table: Table, length: int, stride: int) -> Iterator[Window]:
    """The windows of ``length`` rows, ``stride`` rows apart, in each stretch of rows with one label and one group."""
    keys = list(zip(table.labels, table.groups, strict=True))
    start = 0
    for end in range(1, len(keys) + 1):
        if end < len(keys) and keys[end] == keys[start]:
            continue
        label, group = keys[start]
        covered = start
        for first in range(start, end - length + 1, stride) if label else ():
            last = first + length
            yield Window(
                f"{table.name}: rows {first + 1} to {last}",
                label,
                group,
                f"{table.name} {start}",
                last - max(first, covered),
                table.values[first:last],
            )
            covered = last
        start = end
