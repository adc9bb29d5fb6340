"""The figures of a report, one list: whatever shows a report shows these, and no other words for them."""

from collections.abc import Iterator

from mcubuild.report.amounts import FigureUnit, titled
from mcubuild.report.layers import TIMES
from mcubuild.report.model import Author, Figure, FigureOrigin, Floating, LatencyModel, Level, Remote, Report


def key_figures(report: Report) -> list[Figure]:
    """All that a report counts, models or measures of the firmware as a whole, in the order in which it is shown."""
    return [*_quality(report), *_time(report), *_memory(report), *_work(report), *_search(report)]


def _quality(report: Report) -> Iterator[Figure]:
    accuracy = report.accuracy
    ends = accuracy.intervals
    steps: tuple[tuple[str, str, float | None, tuple[float, float] | None, int, FigureOrigin], ...] = (
        ("float", "float", accuracy.float_, ends.float_, accuracy.samples, "floating point"),
        ("int8", accuracy.arithmetic, accuracy.int8, ends.int8, accuracy.samples, "reference"),
        ("device", "device", accuracy.device, ends.device, report.samples, "emulated"),
    )
    for key, part, score, interval, samples, source in steps:
        if score is not None:
            yield Figure(
                key=f"accuracy.{key}",
                title=titled(accuracy.metric),
                part=part,
                value=score,
                unit="share",
                interval=interval,
                origin=source,
                better="more",
                note="" if key == "float" else f"{samples} samples",
                level="tile" if key == "device" else "line",
            )
    if accuracy.device is None:
        yield _agreement(
            "outputs.emulated",
            report.samples,
            accuracy.mismatches,
            "emulated",
            "equal to the integer reference",
            "tile",
            accuracy.runs,
        )
    if report.floating is not None:
        yield _floating(report.floating)
    if report.author is not None:
        yield _author(report.author)
    if (remote := report.remote) is not None:
        where = f"{remote.target} ({remote.runner}) with the integer reference"
        origin: FigureOrigin = "measured" if remote.silicon else "emulated"
        yield _agreement(
            f"outputs.{remote.runner}", remote.samples, remote.mismatches, origin, where, "line", accuracy.runs
        )


def _agreement(
    key: str, samples: int, mismatches: int, origin: FigureOrigin, method: str, level: Level, runs: int
) -> Figure:
    return Figure(
        key=key,
        title="Outputs",
        value=samples - mismatches,
        of=samples,
        unit="samples",
        origin=origin,
        better="more",
        method=method,
        note=f"{runs} runs each" if runs > 1 else "",
        level=level,
    )


def _floating(floating: Floating) -> Figure:
    same = "" if floating.agreement is None else f"; {100 * floating.agreement:.2f} % of the answers are the same"
    return Figure(
        key="outputs.float",
        title="Difference",
        value=floating.mean,
        unit="share",
        origin="reference",
        better="less",
        method="from the network in floating point, mean, as a share of each output's range",
        note=f"largest {100 * floating.largest:.2f} %{same}; quantised here by {floating.calibration} samples",
        level="line",
    )


def _author(author: Author) -> Figure:
    steps = f"{author.tolerance} step{'s' if author.tolerance > 1 else ''}"
    within = f"within {steps} of" if author.tolerance else "equal to"
    return Figure(
        key="outputs.author",
        title="Your outputs",
        value=author.samples - author.beyond,
        of=author.samples,
        unit="samples",
        origin="reference",
        better="more",
        method=f"{within} [model] outputs",
        note=f"{author.differ} differ, by {author.largest} steps at most" if author.differ else "",
        level="tile",
    )


def _time(report: Report) -> Iterator[Figure]:
    measured = report.remote if report.remote is not None and report.remote.silicon else None
    if measured is not None and measured.cycles is not None:
        yield from _measured(measured, measured.cycles.mean)
    cycles, latency, spread = report.cycles, report.latency_ms, report.uncertainty
    yield Figure(
        key="latency.emulated",
        title="Latency",
        value=latency,
        unit="ms",
        interval=None if latency is None or spread is None else (latency * (1 - spread), latency * (1 + spread)),
        origin="emulated",
        better="less",
        method=report.cycle_model,
        note="" if cycles is None else f"{cycles.mean:,.0f} cycles",
        level="line" if measured is not None and measured.cycles is not None else "tile",
    )
    if cycles is not None:
        yield _count("cycles.emulated", "Cycles", cycles.mean, "cycles", "emulated", report.cycle_model)
        yield _estimate(report.latency_model, tuned=report.tuned)


def _measured(remote: Remote, cycles: float) -> Iterator[Figure]:
    where = f"{remote.target} ({remote.runner})"
    ratio = "" if remote.ratio is None else f", {remote.ratio:.2f} {TIMES} emulated"
    yield Figure(
        key="latency.measured",
        title="Latency",
        value=remote.latency_ms,
        unit="ms",
        origin="measured",
        better="less",
        method=where,
        note=f"{cycles:,.0f} cycles{ratio}",
        level="tile",
    )
    yield _count("cycles.measured", "Cycles", cycles, "cycles", "measured", where)


def _count(
    key: str,
    title: str,
    value: float,
    unit: FigureUnit,
    origin: FigureOrigin,
    method: str = "",
    level: Level = "part",
) -> Figure:
    """A count of one inference, the less the better."""
    return Figure(
        key=key, title=title, value=value, unit=unit, origin=origin, better="less", method=method, level=level
    )


def _estimate(model: LatencyModel, *, tuned: bool) -> Figure:
    """What the search was told, and how far to trust that."""
    others = model.elsewhere
    trust = f"on {others.networks} random networks within {abs(others.worst):.1%}" if others else "of others not known"
    times = "" if model.scale == 1 else f", {model.scale:.2f} {TIMES} the engine's"
    kernels = "; of each layer the fastest kernel was taken, as emulated" if tuned else ""
    error = "" if model.error is None else f"{abs(model.error):.1%} too {'high' if model.error > 0 else 'low'}; "
    return Figure(
        key="cycles.estimated",
        title="Estimate",
        value=model.estimated,
        unit="cycles",
        origin="estimated",
        method=f"before anything was built{times}",
        note=f"{error}{trust}{kernels}",
        level="line",
    )


def _memory(report: Report) -> Iterator[Figure]:
    sram, flash = report.sram, report.flash
    parts = {
        "SRAM": (report.sram_bytes, {"arena": sram.arena, "static data": sram.static, "stack, deepest": sram.stack}),
        "Flash": (report.flash_bytes, {"code": flash.code, "weights": flash.weights, "initial values": flash.data}),
    }
    for title, (whole, sizes) in parts.items():
        for part, size in {"": whole, **sizes}.items():
            yield Figure(
                key=f"{title.lower()}.{part}" if part else title.lower(),
                title=title,
                part=part,
                value=size,
                unit="B",
                origin="linked",
                better="less",
                method="stack as seen running" if title == "SRAM" and not part else "",
                level="part" if part else "tile",
            )


def _work(report: Report) -> Iterator[Figure]:
    yield _count(
        "instructions", "Instructions", report.instructions.mean, "instructions", "counted", "one inference", "tile"
    )
    yield Figure(
        key="energy",
        title="Energy",
        value=report.energy_mj,
        unit="mJ",
        origin="modelled",
        better="less",
        method=f"{report.board.active_power_mw:g} mW active power {TIMES} time",
        level="tile",
    )


def _search(report: Report) -> Iterator[Figure]:
    if report.search is not None and report.search.time is not None:
        yield Figure(
            key="search.time",
            title="Search",
            value=report.search.time,
            unit="s",
            origin="asked",
            method="for race, super network, search and fine-tuning",
            level="line",
        )
    if (start := report.start) is not None:
        yield Figure(
            key="start.carried",
            title="Start",
            value=start.carried / start.weights,
            unit="share",
            origin="counted",
            method=f"of the super network's weights, from {start.spec} ({start.space})",
            level="line",
        )
