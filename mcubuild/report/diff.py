"""What changed between two builds, read from their report.json alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from math import isfinite
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from mcubuild.errors import BuildError, printable, reading, shown
from mcubuild.report.amounts import standing
from mcubuild.report.layers import TIMES
from mcubuild.report.model import NOT_RUN, VERSION, Report

MOVERS = 8
"""Layers, or kinds of layers, whose time changed most."""
NOTHING = "\N{EN DASH}"
_NETWORK = ("input", "width", "layers", "macs", "parameters")
_MADE_BY = ("toolchain", "cycle_model", "uncertainty", "runner", "remote.runner", "remote.target")


_DIGITS = 20
"""Of a whole number, more than any count has."""


@dataclass(frozen=True)
class Change:
    """Something that differs."""

    group: str
    what: str
    before: str
    after: str
    difference: str = ""
    """Of figures: absolute and relative."""
    better: bool | None = None
    """Of figures that are better small or better large."""


def read(named: str, builds: Path, start: Path) -> dict[str, Any]:
    """The report called ``named``.

    Args:
        named: a build in ``builds``, or the path of a folder with a report.json, or of such a file.
        builds: the folder of all builds.
        start: where relative paths begin.

    Raises:
        BuildError: there is none, or it cannot be read, or its format has another version.
    """
    found = [path / "report.json" if path.is_dir() else path for path in (builds / named, start / named)]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        known = sorted(file.parent.name for file in builds.glob("*/report.json"))
        raise BuildError(
            f"{named}: neither a build with a report in {builds}/ nor a folder with a report.json nor such a file; "
            f"builds here: {', '.join(known) or 'none'}."
        )
    with reading(path, "report.json of mcubuild"):
        text = path.read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
        version = report["schema"]
        if version != VERSION:
            raise BuildError(
                f"{path}: a report of version {shown(version)}, this mcubuild compares version {VERSION}; build it "
                f"again here, or compare with the mcubuild that wrote it."
            )
        _check(report)
    return report


def _check(report: dict[str, Any]) -> None:
    """Whether the report has all that is compared, of the right types.

    Raises:
        ValueError: names the first part that is wrong.
    """
    try:
        Report.model_validate(report)
    except ValidationError as error:
        (first, *_) = error.errors()
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']} (found {shown(first['input'])})") from None
    for part in ("spec", "tools", "artifacts"):
        if not isinstance(report["provenance"].get(part, {}), dict):
            raise ValueError(f"provenance.{part} is no table")


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"found a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    if not isfinite(float(text)):
        raise ValueError(f"found {shown(text)}, which is no finite number")
    return float(text)


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """What is different in the report ``b``, by group; empty if nothing is."""
    return [
        *_values("verdict", *({"verdict": standing(one["verdict"], one["cautions"])} for one in (a, b))),
        *_values("spec", _flat(a["provenance"].get("spec", {})), _flat(b["provenance"].get("spec", {}))),
        *_values("board", _flat(a["board"]), _flat(b["board"])),
        *_figures("memory", _paired(a, b, "linked")),
        *_figures("time", _paired(a, b, "counted", "emulated", "measured", "modelled")),
        *_test_set(a["test_set"], b["test_set"]),
        *_accuracy(a, b),
        *_architecture(a, b),
        *_layers(a, b),
        *_values("made by", _made_by(a), _made_by(b)),
        *_artifacts(a, b),
    ]


def _paired(
    a: Mapping[str, Any], b: Mapping[str, Any], *origins: str
) -> Iterator[tuple[str, float | None, float | None, str]]:
    """Title, values and unit of the figures from these origins that are better small; ``None``: not on that side."""
    ours, theirs = ({one["key"]: one for one in report["figures"]} for report in (a, b))
    for key in dict.fromkeys([*ours, *theirs]):
        figure = ours.get(key) or theirs[key]
        if figure["better"] != "less" or figure["origin"] not in origins:
            continue
        title = f"{figure['title']}: {figure['part']}" if figure["part"] else figure["title"]
        told = title if figure["origin"] in ("linked", "counted") else f"{title}, {figure['origin']}"
        before, after = (None if side.get(key) is None else side[key]["value"] for side in (ours, theirs))
        yield told, before, after, f" {figure['unit']}" if figure["unit"] in ("B", "ms", "mJ") else ""


def _at(report: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; ``None`` where a part on the way is."""
    value: Any = report
    for part in key.split("."):
        value = None if value is None else value[part]
    return value


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return flat


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _values(group: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    """Values by name; what one side lacks is a dash there."""
    for key in dict.fromkeys([*a, *b]):
        if a.get(key) != b.get(key):
            yield Change(group, key, _text(a.get(key)), _text(b.get(key)))


def _figures(group: str, rows: Iterable[tuple[str, float | None, float | None, str]]) -> Iterator[Change]:
    """Figures, all of which are better small, with their units."""
    for what, a, b, unit in rows:
        if a != b:
            better = None if a is None or b is None else b < a
            yield Change(group, what, _figure(a, unit), _figure(b, unit), _difference(a, b, unit), better)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}{unit}" if unit in ("", " B") else f"{value:,.4g}{unit}"


def _difference(a: float | None, b: float | None, unit: str) -> str:
    if a is None or b is None:
        return ""
    change = f"{b - a:+,.0f}" if unit in ("", " B") else f"{b - a:+,.3g}"
    return f"{change}{unit}" + (f" ({100 * (b / a - 1):+.1f} %)" if a else "")


def _test_set(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    """How the samples differ that the two are judged on."""
    ours, theirs = Counter(a["ids"]), Counter(b["ids"])
    if ours != theirs:
        yield Change("test set", "samples", f"{len(a['ids']):,}", f"{len(b['ids']):,}")
        common = f"{(ours & theirs).total():,}"
        yield Change("test set", "in both", common, common)
        yield Change("test set", "in one alone", f"{(ours - theirs).total():,}", f"{(theirs - ours).total():,}")
    elif a["digest"] != b["digest"]:
        yield Change("test set", "labels", "", "the samples are the same, some of their labels are not")


def _accuracy(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    """Differences of what was judged on the same samples; else also on those that both were judged on."""
    for key, title in (("float", "float"), ("int8", "int8"), ("device", "firmware")):
        before, after = a["accuracy"][key], b["accuracy"][key]
        ours, theirs = _judged(a["test_set"], key), _judged(b["test_set"], key)
        counts = [sum(map(len, judged.values())) for judged in (ours, theirs)]
        if None in (before, after):
            yield from _values("accuracy", {title: before}, {title: after})
        elif {name: len(marks) for name, marks in ours.items()} == {name: len(marks) for name, marks in theirs.items()}:
            if before != after:
                yield _points(title, before, after)
        else:
            one, other = (f"{_share(share)} of {n:,}" for share, n in zip((before, after), counts, strict=True))
            yield Change("accuracy", f"{title}, each on its own", one, other)
            yield from _on_common(title, ours, theirs)
    yield from _values("accuracy", *({"mismatches": report["accuracy"]["mismatches"]} for report in (a, b)))


def _judged(test_set: Mapping[str, Any], key: str) -> dict[str, str]:
    """Marks by id of the samples that an accuracy is of; copies have a mark each."""
    judged: dict[str, str] = defaultdict(str)
    for name, mark in zip(test_set["ids"], test_set.get(key) or "?" * len(test_set["ids"]), strict=True):
        if mark != NOT_RUN:
            judged[name] += mark
    return judged


def _on_common(title: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Change]:
    """On the samples in both, if it is known which of them are right."""
    pairs = [pair for name in a.keys() & b.keys() for pair in zip(a[name], b[name], strict=False)]
    if pairs and "?" not in pairs[0]:
        before, after = (sum(pair[side] == "1" for pair in pairs) / len(pairs) for side in (0, 1))
        yield _points(f"{title}, on the {len(pairs):,} in both", before, after)


def _points(title: str, before: float, after: float) -> Change:
    points = f"{100 * (after - before):+.2f} points" if before != after else "equal"
    if before and before != after:
        points += f" ({100 * (after / before - 1):+.1f} %)"
    better = None if before == after else after > before
    return Change("accuracy", title, _share(before), _share(after), points, better)


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _architecture(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    for key in _NETWORK:
        before, after = a["model"][key], b["model"][key]
        if before != after:
            number = before is not None and after is not None and key not in ("input", "width")
            yield Change(
                "architecture", key, _text(before), _text(after), _difference(before, after, "") if number else ""
            )
    ours, theirs = _described(a), _described(b)
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind != "equal":
            for index, (before, after) in enumerate(zip_longest(ours[a0:a1], theirs[b0:b1], fillvalue=NOTHING)):
                yield Change("architecture", f"layer {a0 + index}", before, after)


def _described(report: Mapping[str, Any]) -> list[str]:
    """Each layer as "depthwise 3x3 /2 to 15x15x16"."""
    return [
        layer["title"]
        + (f" /{layer['stride']}" if layer["stride"] > 1 else "")
        + f" to {TIMES.join(str(side) for side in layer['output'])}"
        for layer in report["layers"]
    ]


def _layers(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """The biggest movers: layer by layer in the same network, else by kind."""
    same = _described(a) == _described(b)
    before, after = _times(a, same), _times(b, same)
    names = sorted(dict.fromkeys([*before, *after]), key=lambda name: -abs(after.get(name, 0) - before.get(name, 0)))
    group = "emulated time by layer" if same else "emulated time by kind of layer"
    return list(_figures(group, [(name, before.get(name), after.get(name), " ms") for name in names[:MOVERS]]))


def _times(report: Mapping[str, Any], by_layer: bool) -> dict[str, float]:
    times: dict[str, float] = defaultdict(float)
    for index, layer in enumerate(report["layers"]):
        if layer["cycles"] is not None:
            name = f"{index} {layer['title']}" if by_layer else layer["title"]
            times[name] += 1e3 * layer["cycles"] / report["board"]["clock_hz"]
    return times


def _made_by(report: Mapping[str, Any]) -> dict[str, Any]:
    tools = {f"tools.{name}": version for name, version in report["provenance"].get("tools", {}).items()}
    return {key: _at(report, key) for key in _MADE_BY} | tools


def _artifacts(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    ours, theirs = a["provenance"].get("artifacts", {}), b["provenance"].get("artifacts", {})
    names = sorted({*ours, *theirs})
    changed = [name for name in names if ours.get(name) != theirs.get(name)]
    if changed:
        listed = ", ".join(changed) if len(changed) <= MOVERS else f"{len(changed)} of {len(names)} differ"
        yield Change("artifacts", "other keys", "", listed)


def show(changes: list[Change], a: str, b: str, out: IO[str], *, drawn: bool) -> None:
    """Print ``changes`` from ``a`` to ``b``: a table with colours (``drawn``, for a terminal) or aligned lines."""
    if not changes:
        print(f"{a} and {b}: no difference.", file=out)
    elif drawn:
        _draw(changes, a, b, out)
    else:
        for line in _lines(changes, a, b):
            print(printable(line), file=out)


def _lines(changes: list[Change], a: str, b: str) -> Iterator[str]:
    rows = [(change.what, change.before, change.after, change.difference) for change in changes]
    # A long text would push everything else out of sight.
    widths = [max([len(row[column]) for row in rows if len(row[column]) <= 36], default=0) for column in range(3)]
    yield f"{a} -> {b}"
    for group, members in groupby(changes, key=lambda change: change.group):
        yield group
        for change in members:
            cells = (change.what, change.before, change.after)
            aligned = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            yield f"  {aligned}  {change.difference}".rstrip()


def _draw(changes: list[Change], a: str, b: str, out: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for title in (a, b):
        table.add_column(Text(title, "bold"), overflow="fold")
    table.add_column("change")
    for group, members in groupby(changes, key=lambda change: change.group):
        table.add_row(Text(group, "bold"))
        for change in members:
            colour = {True: "green", False: "red", None: ""}[change.better]
            cells = (
                Text(f"  {printable(change.what)}", "dim"),
                *map(Text, map(printable, (change.before, change.after))),
            )
            table.add_row(*cells, Text(change.difference, colour))
    Console(file=out, highlight=False).print(table)
