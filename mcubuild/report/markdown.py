"""report.md: the verdict and what it rests on, short enough for a comment on a pull request (GitHub's Markdown)."""

from collections.abc import Iterator, Sequence

from mcubuild import escape
from mcubuild.report.amounts import amount, bound, distance, standing, titled
from mcubuild.report.environment import count
from mcubuild.report.interval import bounds, score_text
from mcubuild.report.layers import TIMES
from mcubuild.report.model import LatencyModel, LayerCost, Limit, Report
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
    accuracy = report.accuracy
    steps = (
        ("float", accuracy.float_, accuracy.intervals.float_),
        (f"int8 ({accuracy.samples} test samples)", accuracy.int8, accuracy.intervals.int8),
        (f"firmware, emulated ({report.samples})", accuracy.device, accuracy.intervals.device),
    )
    known = [(step, score, ends) for step, score, ends in steps if score is not None and ends is not None]
    if known:
        shares = (f"{amount(score, 'share')} ({bounds(ends)})" for _, score, ends in known)
        yield titled(accuracy.metric), " → ".join(shares), " → ".join(step for step, _, _ in known)
    else:
        same = report.samples - accuracy.mismatches
        yield "Outputs", f"{same} of {report.samples} agree", "firmware, emulated, with the integer reference"
    if report.author is not None:
        yield "Your outputs", report.author.agreement, "the integer reference with [model] outputs"
    if (remote := report.remote) is not None:
        if remote.silicon and remote.cycles is not None and remote.latency_ms is not None:
            ratio = "" if remote.ratio is None else f", {remote.ratio:.2f} {TIMES} emulated"
            figure = f"{amount(remote.latency_ms, 'ms')}, {count(remote.cycles.mean)} cycles{ratio}"
            yield "Latency", figure, f"**measured** on {escape.markdown(remote.target)} ({remote.runner})"
        same = remote.samples - remote.mismatches
        where = escape.markdown(remote.target)
        yield "Outputs", f"{same} of {remote.samples} agree", f"{where} ({remote.runner}) with the integer reference"
    if report.cycles is not None and report.latency_ms is not None:
        spread = f" ±{report.uncertainty:.0%}" if report.uncertainty else ""
        figure = f"{amount(report.latency_ms, 'ms')}{spread}, {count(report.cycles.mean)} cycles"
        yield "Latency", figure, f"emulated: {escape.markdown(report.cycle_model)}"
        yield "Estimate", *_estimate(report.latency_model)
    if report.energy_mj is not None:
        power = f"modelled: {report.board.active_power_mw:g} mW active power {TIMES} time"
        yield "Energy", amount(report.energy_mj, "mJ"), power
    if report.tuned:
        yield "Kernels", "tuned", "the fastest of each layer, emulated"
    if report.start:
        share = f"{report.start.carried / report.start.weights:.1%} of the super network's weights"
        yield "Start", share, f"from {escape.markdown(report.start.spec)} ({report.start.space})"
    yield "Instructions", count(report.instructions.mean), "an inference, counted in the emulator"


def _estimate(model: LatencyModel) -> tuple[str, str]:
    """What the search was told, and how far to trust that."""
    error = "" if model.error is None else f" ({_signed(model.error)})"
    others = model.elsewhere
    trust = f"on {others.networks} random networks within {abs(others.worst):.1%}" if others else "of others not known"
    times = "" if model.scale == 1 else f" {TIMES} {model.scale:.2f}"
    return f"{count(model.estimated)} cycles{error}", f"the engine's{times}, before anything was built; {trust}"


def _signed(share: float) -> str:
    return f"{share:+.1%}".replace("-", "\N{MINUS SIGN}")


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
