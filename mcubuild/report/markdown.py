"""report.md: the verdict and what it rests on, short enough for a comment on a pull request (GitHub's Markdown)."""

import re
from collections.abc import Iterator, Sequence

from mcubuild import escape
from mcubuild.report.amounts import amount, bound, distance, in_lines, origin_of, standing, titled, with_spread
from mcubuild.report.environment import count
from mcubuild.report.interval import score_text
from mcubuild.report.model import LayerCost, Limit, Report
from mcubuild.report.verdict import kept

CAUTIONS = 5
"""At most; report.html has all."""
LAYERS = 5


def render(report: Report) -> str:
    """The text, which ends with a line break."""
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    passed = report.verdict == "pass"
    mark = ("⚠️" if report.cautions else "✅") if passed else "❌"
    yield f"## {mark} {escape.markdown(report.title)}: {standing(report.verdict, report.cautions)}"
    yield _quality(report)
    if passed:
        left = kept(report.budget)
        yield "Within its budget" + (f"; left: {', '.join(left)}." if left else "; it has no limits.")
    else:
        yield "\n".join(f"- **{escape.markdown(reason)}**" for reason in report.reasons)
    if report.cautions:
        told = [f"> ⚠️ {escape.markdown(caution)}." for caution in report.cautions[:CAUTIONS]]
        if len(report.cautions) > CAUTIONS:
            told.append(f"> and {len(report.cautions) - CAUTIONS} more in report.html.")
        yield "\n".join(told)
    yield _table(("", "used", "limit", "left", "origin"), _budget(report), numbers=(1, 2, 3))
    yield _table(("", "", "origin"), list(_figures(report)))
    if report.cycles is not None:
        yield "Slowest layers: shares of the emulated cycles and of the multiply-accumulates"
        yield _slowest(report)
    core = f"{report.board.core} at {report.board.clock_hz / 1e6:g} MHz, {escape.markdown(report.board.clock_origin)}"
    yield f"{escape.markdown(report.board.title)}, {core}. Everything else: `build/{report.name}/report.html`."


def _quality(report: Report) -> str:
    accuracy, limit = report.accuracy, report.budget.accuracy.limit
    if accuracy.judged is None:
        return "Accuracy is not known: there are no labels."
    wanted = "no quality limit: `[budget] accuracy` sets one"
    if limit is not None:
        wanted = f"the budget wants {bound(limit, 'share')}{' of the lower end' if report.budget.strict else ''}"
    shown = f"{titled(accuracy.metric)} {score_text(accuracy.judged, accuracy.interval)}"
    return f"**{shown}** on {accuracy.judged_samples} samples; {wanted}."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    rule = ["---:" if column in numbers else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _budget(report: Report) -> list[tuple[str, ...]]:
    lines = [("SRAM", report.budget.sram), ("Flash", report.budget.flash), ("Latency", report.budget.latency)]
    if report.budget.energy.limit is not None:
        lines.append(("Energy", report.budget.energy))
    if report.budget.accuracy.limit is not None:
        title = titled(report.accuracy.metric)
        lines.append((f"{title}, lower end" if report.budget.strict else title, report.budget.accuracy))
    return [_line(title, line) for title, line in lines]


def _line(title: str, line: Limit) -> tuple[str, ...]:
    used, limit, left = (
        "\N{EN DASH}" if value is None else text(value, line.unit).replace("-", "\N{MINUS SIGN}")
        for value, text in ((line.used, amount), (line.limit, bound), (line.margin, distance))
    )
    return f"{'✅' if line.ok else '❌'} {title}", used, limit, left if line.ok else f"**{left}**", line.origin


def _figures(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, figure and origin of each; of those that share a line, one behind the other."""
    for title, members in in_lines(figure.model_dump() for figure in report.figures):
        figures = " → ".join(with_spread(one, count) for one in members)
        if members[0]["part"]:
            origins = [f"{one['part']} ({one['note']})" if one["note"] else one["part"] for one in members]
            yield title, _signed(figures), escape.markdown(" → ".join(origins))
        else:
            (one,) = members
            note = f"; {one['note']}" if one["note"] else ""
            origin = escape.markdown(origin_of(one))
            yield title, _signed(escape.markdown(f"{figures}{note}")), origin.replace("measured", "**measured**", 1)


def _signed(text: str) -> str:
    return re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", text)


def _slowest(report: Report) -> str:
    cycles = sum(layer.cycles or 0 for layer in report.layers) or 1
    macs = sum(layer.macs for layer in report.layers) or 1
    slowest = sorted(enumerate(report.layers), key=lambda item: -(item[1].cycles or 0))[:LAYERS]

    def row(index: int, layer: LayerCost) -> tuple[str, ...]:
        time = (layer.cycles or 0) / report.board.clock_hz * 1e3
        share, work = (layer.cycles or 0) / cycles, layer.macs / macs
        return f"{index} {layer.title}", amount(time, "ms"), f"{share:.1%}", f"{work:.1%}"

    rows = [row(index, layer) for index, layer in slowest]
    return _table(("layer", "time", "cycles", "MACs"), rows, numbers=(1, 2, 3))
