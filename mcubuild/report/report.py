"""The report of a build: report.json, report.html and report.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import measured
from mcubuild.board import Board
from mcubuild.errors import BuildError, printable
from mcubuild.measure.runner import chosen
from mcubuild.report import artifacts as files
from mcubuild.report import estimates, markdown, page, quality, tested, verdict
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.key_figures import key_figures
from mcubuild.report.layers import read_layers
from mcubuild.report.model import (
    Accuracy,
    Author,
    BudgetLines,
    Flash,
    Floating,
    Intervals,
    LatencyModel,
    LayerCost,
    Network,
    Range,
    Remote,
    Report,
    SearchResult,
    Sram,
    Start,
    Target,
)
from mcubuild.report.search import built
from mcubuild.spec.budget import Budget
from mcubuild.spec.measure import MeasureSettings
from mcubuild.spec.report import ReportSettings
from mcubuild.tasks.section import section


def write(
    inputs: Mapping[str, Path],
    *,
    name: str,
    board: Board,
    budget: Budget,
    settings: ReportSettings,
    conditions: str,
    provenance: Mapping[str, Any],
    out: Path,
) -> None:
    """Write report.json, report.html and report.md to ``out``.

    Args:
        inputs: file by artifact name; artifacts of stages that the build does not have (a search, say) are left out.
        name: the spec's name.
        board: what was built for.
        budget: limits.
        settings: presentation.
        conditions: what its estimates of cycles were made for: see ``estimates.conditions``.
        provenance: what the build was made from; plain values without times and absolute paths.
        out: an existing folder.

    Raises:
        BuildError: an artifact is missing or damaged, or artifacts do not belong together.
    """
    artifacts = files.read(inputs)
    report = make(
        artifacts,
        name=name,
        board=board,
        budget=budget,
        settings=settings,
        conditions=conditions,
        provenance=provenance,
    )
    text = json.dumps(report.model_dump(mode="json", by_alias=True), indent=1, sort_keys=True) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8")
    html = page.render(report, artifacts, _samples(artifacts), settings.mistakes)
    (out / "report.html").write_text(html, encoding="utf-8")
    (out / "report.md").write_text(markdown.render(report), encoding="utf-8")


def make(
    artifacts: Artifacts,
    *,
    name: str,
    board: Board,
    budget: Budget,
    settings: ReportSettings,
    conditions: str,
    provenance: Mapping[str, Any],
) -> Report:
    """The figures of report.json; arguments as for ``write``."""
    measure = artifacts.measure
    sram, flash = _sram(artifacts), _flash(artifacts)
    cycles, clock = measure.cycles, measure.clock_hz
    remote = _remote(artifacts)
    slowest = _slowest(remote)
    origin: verdict.Origin = "emulated" if slowest is None else "measured"
    if slowest is None and cycles is not None:
        slowest = 1e3 * cycles.max / clock
    latency = measure.latency_ms if origin == "emulated" or remote is None else remote.latency_ms
    power = board.active_power_mw
    time_limit, energy_limit = _limits_of_time(budget, power)
    accuracy = _accuracy(artifacts, remote)
    shown = None if artifacts.reading is None else section(artifacts.task)
    lines = BudgetLines(
        sram=verdict.limit(sram.arena + sram.static + sram.stack, budget.sram, "B"),
        flash=verdict.limit(flash.code + flash.weights + flash.data, budget.flash, "B"),
        latency=verdict.limit(slowest, time_limit, "ms", origin),
        energy=verdict.limit(None if slowest is None else power * slowest / 1e3, energy_limit, "mJ", "modelled"),
        accuracy=verdict.limit(
            accuracy.interval[0] if budget.strict and accuracy.interval else accuracy.judged,
            budget.accuracy,
            "share",
            "measured" if _on_silicon(remote) else "emulated",
        ),
        strict=budget.strict,
    )
    near = artifacts.accuracy.floating
    floating = None
    if near is not None:
        floating = Floating(**msgspec.structs.asdict(near), agreement=artifacts.accuracy.agreement)
    told = artifacts.accuracy.author
    author = None if told is None else Author(**msgspec.structs.asdict(told))
    reasons = verdict.reasons(
        lines,
        stack=sram.stack,
        stack_reserved=sram.stack_reserved,
        mismatches=accuracy.mismatches,
        samples=measure.samples,
        remote=remote,
        author=author,
    )
    cautions = [
        *artifacts.accuracy.cautions,
        *quality.cautions(artifacts, accuracy),
        *(artifacts.inventory.cautions if artifacts.inventory else ()),
        *_clock(board),
        *verdict.cautions(
            lines,
            uncertainty=measure.uncertainty,
            samples=measure.samples,
            available=len(artifacts.expected),
            promised=sram.predicted,
            linked=sram.arena + sram.static + sram.stack_reserved,
            clock_hz=board.runs_at,
            remote=remote,
        ),
    ]
    found = Report(
        name=name,
        title=printable(settings.title or name),
        verdict="fail" if reasons else "pass",
        reasons=[printable(reason) for reason in reasons],
        cautions=[printable(caution) for caution in cautions],  # names of files are in them
        figures=[],  # they follow from all the rest
        accuracy=accuracy,
        test_set=tested.test_set(artifacts, _samples(artifacts)),
        classes=None if shown is None else shown.classes(artifacts),
        details=None if shown is None else shown.details(artifacts),
        instructions=_range(measure.instructions),
        cycles=None if cycles is None else _range(cycles),
        latency_ms=measure.latency_ms,
        energy_mj=None if latency is None else power * latency / 1e3,
        sram_bytes=sram.arena + sram.static + sram.stack,
        sram=sram,
        flash_bytes=flash.code + flash.weights + flash.data,
        flash=flash,
        toolchain=artifacts.sizes.toolchain,
        runner=measure.runner,
        zero_wait_cycles=measure.zero_wait_cycles,
        cycle_model=measure.cycle_model,
        uncertainty=measure.uncertainty,
        latency_model=_latency_model(artifacts, conditions),
        remote=remote,
        author=author,
        floating=floating,
        board=Target(
            name=board.name,
            title=printable(board.title),
            core=board.core,
            clock_hz=board.runs_at,
            clock_origin=board.clock_origin,
            active_power_mw=power,
        ),
        budget=lines,
        samples=measure.samples,
        model=_network(artifacts),
        layers=_layers(artifacts),
        start=_start(artifacts, provenance),
        search=_search(artifacts),
        provenance=dict(provenance),
    )
    return found.model_copy(update={"figures": key_figures(found)})


def _range(found: measured.Range) -> Range:
    return Range(min=found.min, mean=found.mean, max=found.max)


def _limits_of_time(budget: Budget, power: float) -> tuple[float | None, float | None]:
    """Limits in ms and mJ; where that of the latency is the energy's by another name, the energy's counts alone.

    Args:
        budget: as ``read_spec`` resolved it: its latency is at most what the energy allows.
        power: in mW.
    """
    latency = None if budget.latency is None or budget.bound_by_energy(power) else 1e3 * budget.latency
    return latency, None if budget.energy is None else 1e3 * budget.energy


def _latency_model(artifacts: Artifacts, conditions: str) -> LatencyModel:
    scale = estimates.multiplied(artifacts.margin, artifacts.arch)
    estimated, cycles = round(scale * artifacts.plan.predicted.cycles), artifacts.measure.cycles
    others = estimates.beside(conditions, artifacts.margin, scale)
    return LatencyModel(
        estimated=estimated,
        scale=scale,
        conditions=conditions,
        error=None if cycles is None else estimated / cycles.mean - 1,
        elsewhere=estimates.errors(others) if others else None,
    )


def _clock(board: Board) -> list[str]:
    """The caution where the core could be faster, but nothing sets its clock."""
    if board.runs_at == board.clock:
        return []
    return [
        f"Time is judged at {board.runs_at / 1e6:g} MHz, {board.clock_origin}; the core may run at "
        f"{board.clock / 1e6:g} MHz"
    ]


def _sram(artifacts: Artifacts) -> Sram:
    return Sram(
        arena=artifacts.sizes.arena,
        static=artifacts.sizes.static,
        stack=artifacts.measure.stack_bytes,
        stack_reserved=artifacts.sizes.stack_reserved,
        predicted=artifacts.plan.predicted.sram,
    )


def _flash(artifacts: Artifacts) -> Flash:
    section = artifacts.sizes.section
    weights, data = section(".model_weights") + section(".fast_weights"), section(".data")
    return Flash(
        code=artifacts.sizes.flash_bytes - weights - data,
        weights=weights,
        data=data,
        predicted=artifacts.plan.predicted.flash,
    )


def _samples(artifacts: Artifacts) -> NDArray[np.int64]:
    """Indexes of the samples that the firmware was run on."""
    return _run_on(artifacts, artifacts.outputs, "device_outputs.npy")


def _run_on(artifacts: Artifacts, outputs: NDArray[np.int8], name: str) -> NDArray[np.int64]:
    count, (available, width) = len(outputs), artifacts.expected.shape
    if not 0 < count <= available or outputs.shape[1] != width:
        raise BuildError(
            f"{name}: found {outputs.shape} outputs for {available} samples of {width}; delete it and build again."
        )
    return chosen(available, MeasureSettings(samples=count))


def _mismatches(artifacts: Artifacts, outputs: NDArray[np.int8], samples: NDArray[np.int64]) -> int:
    """Samples whose ``outputs`` differ in any bit from the integer reference's."""
    return int(np.any(outputs != artifacts.expected[samples], axis=1).sum())


def _remote(artifacts: Artifacts) -> Remote | None:
    told, outputs = artifacts.remote, artifacts.remote_outputs
    if told is None or outputs is None:
        return None
    emulated, counted = artifacts.measure.cycles, told.cycles
    silicon, score = told.silicon, _score(artifacts, outputs, "remote_outputs.npy")
    if not silicon:  # the time of an emulator on this machine says nothing
        counted = None
    return Remote(
        runner=told.runner,
        target=told.target,
        silicon=silicon,
        samples=len(outputs),
        mismatches=_mismatches(artifacts, outputs, _run_on(artifacts, outputs, "remote_outputs.npy")),
        cycles=None if counted is None else _range(counted),
        clock_hz=told.clock_hz,
        latency_ms=told.latency_ms if silicon else None,
        accuracy=None if score is None else score[0],
        ratio=counted.mean / emulated.mean if counted and emulated else None,
        note=told.note,
    )


def _slowest(remote: Remote | None) -> float | None:
    """Milliseconds of the slowest sample on silicon, if cycles were counted there."""
    if remote is None or not remote.silicon or remote.cycles is None or not remote.clock_hz:
        return None
    return 1e3 * remote.cycles.max / remote.clock_hz


def _on_silicon(remote: Remote | None) -> bool:
    return remote is not None and remote.silicon


def _score(artifacts: Artifacts, outputs: NDArray[np.int8], name: str) -> tuple[float, tuple[float, float]] | None:
    """The score of ``outputs`` and its interval, if targets are known."""
    reads = artifacts.reading
    if reads is None:
        return None
    targets = artifacts.targets[_run_on(artifacts, outputs, name)]
    return reads.score(outputs, targets), reads.interval(outputs, targets)


def _accuracy(artifacts: Artifacts, remote: Remote | None) -> Accuracy:
    samples, reads = _samples(artifacts), artifacts.reading
    device = judged = _score(artifacts, artifacts.outputs, "device_outputs.npy")
    count = len(samples)
    if remote is not None and remote.silicon and artifacts.remote_outputs is not None:
        judged, count = _score(artifacts, artifacts.remote_outputs, "remote_outputs.npy"), remote.samples
    found = artifacts.accuracy
    return Accuracy(
        metric="score" if reads is None else reads.metric.name,
        float=found.float,
        int8=found.int8,
        arithmetic=found.arithmetic,
        device=None if device is None else device[0],
        intervals=Intervals(
            float=found.intervals.float, int8=found.intervals.int8, device=None if device is None else device[1]
        ),
        samples=len(artifacts.expected),
        runs=artifacts.accuracy.runs,
        mismatches=_mismatches(artifacts, artifacts.outputs, samples),
        judged=None if judged is None else judged[0],
        judged_samples=count,
        interval=None if judged is None else judged[1],
    )


def _network(artifacts: Artifacts) -> Network:
    layers = read_layers(artifacts.plan, artifacts.measure)
    space = (artifacts.arch or {}).get("space")
    return Network(
        macs=sum(layer.macs for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        layers=len(layers),
        input=list(layers[0].shape_in[1:]),
        width=None if space is None else space["width"],
    )


def _layers(artifacts: Artifacts) -> list[LayerCost]:
    known = artifacts.measure.cycles is not None
    return [
        LayerCost(
            name=layer.name,
            title=layer.title,
            output=list(layer.shape_out[1:]),
            stride=layer.stride,
            macs=layer.macs,
            bits=layer.bits,
            output_bits=layer.output_bits,
            weights=layer.weights,
            instructions=layer.instructions,
            cycles=layer.cycles if known else None,
        )
        for layer in read_layers(artifacts.plan, artifacts.measure)
    ]


def _start(artifacts: Artifacts, provenance: Mapping[str, Any]) -> Start | None:
    return None if artifacts.start is None else Start(spec=provenance["spec"]["start"], **artifacts.start)


def _search(artifacts: Artifacts) -> SearchResult | None:
    if artifacts.search is None or artifacts.arch is None:
        return None
    found = artifacts.search.evaluations
    best = {method: max(one.accuracy for one in evaluations) for method, evaluations in found.items() if evaluations}
    return SearchResult(
        evolution=best.get("evolution"),
        random=best.get("random"),
        evaluated=max(len(evaluations) for evaluations in found.values()),
        chosen=built(artifacts.search, artifacts.arch).method,
        time=None if artifacts.pace is None else artifacts.pace["time"],
    )
