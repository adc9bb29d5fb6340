"""What the terminal shows after a build."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mcubuild.errors import printable
from mcubuild.report.amounts import amount, bound, in_lines, left, origin_of, standing, with_spread
from mcubuild.report.interval import score_text

_BAR = 24
_TITLES = {"sram": "SRAM", "flash": "Flash", "latency": "latency", "energy": "energy", "accuracy": "accuracy"}


def summarise(report: Mapping[str, Any], folder: Path, out: IO[str], *, drawn: bool) -> None:
    """Print the verdict, the budget line by line and the figures.

    Args:
        report: the content of report.json.
        folder: where report.html lies.
        out: where to print.
        drawn: with bars and colours, for a terminal; rich is imported only then.
    """
    if drawn:
        from rich.console import Console

        _draw(Console(file=out, highlight=False), report, folder)
    else:
        for line in _lines(report, folder):
            print(printable(line), file=out)


def _limits(report: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Title and line; energy and accuracy are worth one only where they are limited."""
    for key, title in _TITLES.items():
        line = report["budget"][key]
        if key not in ("energy", "accuracy") or line["limit"] is not None:
            yield title, line


def _use(line: Mapping[str, Any], strict: bool) -> str:
    """Such as ``10.6 kB of 128.0 kB, 117.4 kB free``; ``strict``: an accuracy is the lower end of its interval."""
    used = "unknown" if line["used"] is None else amount(line["used"], line["unit"])
    if strict and line["unit"] == "share":
        used += " (lower end)"
    if line["limit"] is None:
        return f"{used}, no limit"
    text = f"{used} of {bound(line['limit'], line['unit'])}"
    if line["margin"] is None:
        return text
    origin = "" if line["origin"] == "linked" else f", {line['origin']}"
    return f"{text}, {left(line['margin'], line['unit'])}{origin}"


def _quality(report: Mapping[str, Any]) -> str:
    """Such as ``accuracy 83.33 % (79.1 to 86.8, 95 %), no quality limit``."""
    accuracy, limit = report["accuracy"], report["budget"]["accuracy"]["limit"]
    if accuracy["judged"] is None:
        return "accuracy not known: no labels"
    text = f"{accuracy['metric']} {score_text(accuracy['judged'], accuracy['interval'])}"
    if limit is None:
        return f"{text}, no quality limit"
    return f"{text} of {bound(limit, 'share')}{', strictly' if report['budget']['strict'] else ''}"


def _figures(report: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Title and text of every figure, then what the report rests on and where it is."""
    for title, members in in_lines(report["figures"]):
        if members[0]["part"]:
            yield (
                _lowered(title),
                " -> ".join(f"{one['part']} {with_spread(one)}{_noted(one, ', ')}" for one in members),
            )
        else:
            (one,) = members
            yield _lowered(title), f"{with_spread(one)}, {origin_of(one)}{_noted(one, '; ')}"
    yield "test set", f"{report['test_set']['digest']} ({report['accuracy']['samples']} samples)"
    yield "report", str(folder / "report.html")


def _lowered(title: str) -> str:
    """Within a line: ``accuracy``, but ``mAP@0.5`` and ``AUC``."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def _noted(figure: Mapping[str, Any], between: str) -> str:
    return f"{between}{figure['note']}" if figure["note"] else ""


def _lines(report: Mapping[str, Any], folder: Path) -> Iterator[str]:
    yield f"{report['name']}: {standing(report['verdict'], report['cautions'])}; {_quality(report)}"
    for reason in report["reasons"]:
        yield f"  fail: {reason}"
    for caution in report["cautions"]:
        yield f"  caution: {caution}"
    strict = report["budget"]["strict"]
    for title, line in _limits(report):
        yield f"  {title:<13}{'ok  ' if line['ok'] else 'FAIL'}  {_use(line, strict)}"
    for title, text in _figures(report, folder):
        yield f"  {title:<13}{text}"


def _draw(console: Any, report: Mapping[str, Any], folder: Path) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    passed, careful = report["verdict"] == "pass", bool(report["cautions"])
    sign, colour = (("!", "yellow") if careful else ("✓", "green")) if passed else ("✗", "red")
    verdict = f"{sign} {standing(report['verdict'], report['cautions'])}"
    console.print()
    console.print(Text.assemble((report["name"], "bold"), "  ", (verdict, f"bold {colour}"), "  ", _quality(report)))
    for reason in report["reasons"]:
        console.print(Padding(Text(reason, "red"), (0, 0, 0, 2)))
    for caution in report["cautions"]:
        console.print(Padding(Text(caution, "yellow"), (0, 0, 0, 2)))
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    strict = report["budget"]["strict"]
    for title, line in _limits(report):
        mark = Text("✓ ", "green") if line["ok"] else Text("✗ ", "red")
        table.add_row(title, Text.assemble(_bar(line), " ", mark, _use(line, strict)))
    for title, text in _figures(report, folder):
        table.add_row(title, Text(printable(text)))
    console.print(Padding(table, (0, 0, 0, 2)))


def _bar(line: Mapping[str, Any]) -> Any:
    """Use as a share of the limit; what is over fills the bar in red. Shares are of 100 %."""
    from rich.text import Text

    if not line["limit"] or line["used"] is None:
        return Text(" " * _BAR)
    whole = 1 if line["unit"] == "share" else line["limit"]
    filled = min(_BAR, max(1, round(_BAR * line["used"] / whole)))
    return Text.assemble(("━" * filled, "green" if line["ok"] else "red"), ("━" * (_BAR - filled), "bright_black"))
