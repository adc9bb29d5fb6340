"""report.html: one file without scripts or anything from elsewhere, from templates/report.html.j2."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts.sizes import SectionSize
from mcubuild.report import architecture, budget, estimates, layers, race, search, space, training
from mcubuild.report.amounts import amount_of, spread, standing
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.environment import count, environment
from mcubuild.report.interval import score_text
from mcubuild.report.model import Report
from mcubuild.report.plot import Plot
from mcubuild.report.score import score_plot
from mcubuild.report.verdict import kept
from mcubuild.tasks.section import section, template

SYMBOLS = 12
"""Largest symbols of the ELF to list."""


def render(report: Report, artifacts: Artifacts, samples: NDArray[np.int64], mistakes: int) -> str:
    """The page.

    Args:
        report: the figures.
        artifacts: what the figures are drawn from.
        samples: indexes in the test split of the samples that the firmware classified.
        mistakes: how many wrongly classified samples to show.
    """
    provenance = report.provenance.items()
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            tiles=_tiles(report),
            index=artifacts.index,
            preprocessing=artifacts.preprocessing,
            bars=budget.bars(report),
            kept=kept(report.budget),
            standing=standing(report.verdict, report.cautions),
            accuracy=_judged(report),
            on_silicon=report.remote is not None and report.remote.silicon and report.remote.cycles is not None,
            remote_name=_remote_name(report),
            promises=budget.promises(report, artifacts.plan.predicted),
            symbols=artifacts.sizes.symbols[:SYMBOLS],
            sections=_sections(artifacts),
            estimates_plot=_estimates(report, artifacts),
            lower_bound=artifacts.plan.lower_bound,
            provenance_rows=[(key, value) for key, value in provenance if not isinstance(value, dict | list)],
            provenance_details=[(key, value) for key, value in provenance if isinstance(value, dict | list)],
            **_layers(artifacts),
            **_quality(report, artifacts, samples, mistakes),
            **_search(artifacts),
        )
    )


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """Title, figure, and where that comes from: of what is most asked for."""
    tiles = []
    for figure in report.figures:
        if figure.level != "tile":
            continue
        one = figure.model_dump()
        interval = spread(one).strip("()") + (" (95 %)" if figure.unit == "share" and figure.interval else "")
        # The cycle model has a caption of its own, where there is room for it.
        method = "" if figure.unit == "ms" and figure.value is not None else figure.method
        origin = f"{figure.origin}: {method}" if method else figure.origin
        tiles.append((figure.title, amount_of(one, count), ", ".join(filter(None, (interval, origin, figure.note)))))
    return tiles


def _judged(report: Report) -> str | None:
    """The accuracy that the verdict goes by, with its interval."""
    accuracy = report.accuracy
    return None if accuracy.judged is None else score_text(accuracy.judged, accuracy.interval)


def _remote_name(report: Report) -> str:
    """What ran the firmware once more: "QEMU 7.2 at netduinoplus2", "The board (...)"."""
    if report.remote is None:
        return ""
    return f"The board ({report.remote.target})" if report.remote.silicon else report.remote.target


def _estimates(report: Report, artifacts: Artifacts) -> Plot | None:
    """The estimate of this network among those of others under its conditions."""
    model = report.latency_model
    others = estimates.beside(model.conditions, artifacts.margin, model.scale)
    if report.cycles is None or model.error is None or not others:
        return None
    return estimates.plot(others, (report.cycles.mean, model.error))


def _sections(artifacts: Artifacts) -> list[tuple[str, SectionSize]]:
    """Sections that take room, the largest first."""
    found = [(name, section) for name, section in artifacts.sizes.sections.items() if section.bytes]
    return sorted(found, key=lambda item: (-item[1].bytes, item[0]))


def _layers(artifacts: Artifacts) -> dict[str, Any]:
    rows = layers.read_layers(artifacts.plan, artifacts.measure)
    return {
        "layers": rows,
        "groups": architecture.by_size(row := architecture.blocks(rows)),
        "kernels": sorted({(block.style, block.kernel) for block in row}),
        "most_channels": max(max(block.channels) for block in row),
        "kinds": layers.by_kind(rows),
        "memory_plot": layers.memory_plot(artifacts.plan),
        "time_plot": layers.time_plot(rows) if any(row.cycles for row in rows) else None,
        "weights_plot": layers.weights_plot(rows),
    }


def _quality(report: Report, artifacts: Artifacts, samples: NDArray[np.int64], mistakes: int) -> dict[str, Any]:
    accuracy = report.accuracy
    steps = [
        ("float", accuracy.float_, accuracy.intervals.float_),
        (accuracy.arithmetic, accuracy.int8, accuracy.intervals.int8),
        ("device", accuracy.device, accuracy.intervals.device),
    ]
    known = [(title, score, ends) for title, score, ends in steps if score is not None and ends is not None]
    values: dict[str, Any] = {
        "score_plot": score_plot(accuracy.metric, known) if known else None,
        "agreement": artifacts.accuracy.agreement,
        "pixels": artifacts.accuracy.pixels,
        "quantized": artifacts.quantize_log,
        "learned_validation": artifacts.learned_validation,
        "section_template": None,
        "interval_method": None if artifacts.reading is None else artifacts.reading.metric.interval,
        "section": {},
    }
    if artifacts.reading is None:
        return values
    shown = section(artifacts.task).values(artifacts, samples, mistakes)
    return values | {"section_template": template(artifacts.task), "section": shown}


def _search(artifacts: Artifacts) -> dict[str, Any]:
    table, quantized, raced = artifacts.space_table, artifacts.quantize_log, artifacts.race
    if table and raced:
        table = msgspec.structs.replace(table, winner=raced.winner)
    names = ("supernet_plots", "finetune_plots", "train_plots", "aware_plots", "history_plot", "race", "race_plot")
    values: dict[str, Any] = dict.fromkeys(names) | {
        "augmentation": section(artifacts.task).augmentation(artifacts.index) if artifacts.index else None,
        "cdf_plot": space.cdf_plot(table.winner, table.spaces) if table else None,
        "heats": space.heat_tables(table) if table else [],
        "spaces": len(table.spaces) if table else 0,
        "block": space.block(table) if table else None,
        "limits": space.limits(table) if table else None,
        "nothing_fits": space.nothing_fits(table) if table else None,
        "pace": artifacts.pace,
        "scaling": artifacts.scaling,
    }
    if artifacts.reading is None:
        return values
    metric = artifacts.reading.metric
    logs = {
        "supernet_plots": artifacts.supernet_log,
        "finetune_plots": artifacts.finetune_log,
        "train_plots": artifacts.train_log,
        "aware_plots": quantized.epochs if quantized else None,
    }
    values |= {name: training.plots(log, metric) for name, log in logs.items() if log}
    if table and raced and (competed := race.table(raced, table, metric)):
        values |= {"race": competed, "race_plot": race.plot(raced, metric)}
    found = artifacts.search
    if found is None or artifacts.arch is None:
        return values
    built = search.built(found, artifacts.arch)
    return values | {
        "history_plot": search.history_plot(found, metric),
        "pareto_plot": search.pareto_plot(found, built, metric),
        "front": search.front_table(found, built),
        "predictor": found.predictor,
    }
