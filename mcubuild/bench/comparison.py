"""A searched network beside published ones: accuracy, latency and memory, after builds of all of them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.accuracy import ACCURACY, Accuracy
from mcubuild.artifacts.measured import MEASURED, Measured
from mcubuild.artifacts.plan import PLAN, Planned
from mcubuild.artifacts.searched import Method, Searched
from mcubuild.bench.ablation import SWITCHES
from mcubuild.report.architecture import blocks
from mcubuild.report.layers import Layer, read_layers
from mcubuild.report.plot import Axis, Box, Curve, Dot, Plot, linear, names
from mcubuild.report.search import METHODS
from mcubuild.report.variants import aligned
from mcubuild.units import format_size

SEARCHED = "searched"
ALONE = "searched, from scratch"
"""The network that was found, trained as the baselines are: without what it inherits and is taught."""
LAYERWISE: Mapping[str, Any] = {**dict.fromkeys(SWITCHES, False), "plan": "smallest", "tune": False, "input": "array"}
"""[engine] of an engine that computes and plans layer by layer."""
ENGINES = {"layer-wise engine": LAYERWISE, "our engine": {}}
"""What each changes of the spec's [engine]."""


@dataclass(frozen=True)
class Built:
    """A network that was built and run."""

    name: str
    input: tuple[int, ...]
    arithmetic: str
    """What integers it computes with, as the report says it."""
    accuracies: tuple[float, ...]
    """Of the integers on all test samples, 0 ... 1: of this build, then of networks chosen and trained anew on the
    same samples."""
    validation: float
    """Accuracy on the validation samples, 0 ... 1."""
    latency: float | None
    """Milliseconds, as the report has them."""
    sram: int
    flash: int
    macs: int
    passes: bool
    """Whether it keeps the budget."""
    layers: tuple[Layer, ...]

    @property
    def accuracy(self) -> float:
        """The mean over trainings."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """The standard deviation over trainings; of a single one 0."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0

    @property
    def spread(self) -> str:
        """Mean and, of several trainings, standard deviation, for people."""
        if len(self.accuracies) == 1:
            return f"{self.accuracy:.2%}"
        return f"{self.accuracy:.2%} +- {100 * self.deviation:.2f}"


@dataclass(frozen=True)
class Missing:
    """A network that does not fit."""

    name: str
    reason: str


Contender: TypeAlias = Built | Missing
Curves: TypeAlias = Mapping[Method, Sequence[Sequence[float]]]
"""By method, for each seed: the best validation accuracy (0 ... 1) after each network that was looked at."""


def read_built(name: str, folder: Path, others: Sequence[Path]) -> Built:
    """The figures of the build in ``folder``: its report and the files behind it; and accuracies of ``others``.

    Args:
        name: of the network.
        folder: of the build.
        others: folders with the accuracy.json of the same with other seeds.
    """
    report = _json(folder / "report.json")
    model, quantized = report["model"], _json(folder / "quantize_log.json")
    return Built(
        name,
        tuple(model["input"]),
        report["accuracy"]["arithmetic"],
        tuple(_score(one) for one in (folder, *others)),
        quantized[quantized["kept"]],
        report["latency_ms"],
        report["sram_bytes"],
        report["flash_bytes"],
        model["macs"],
        report["verdict"] == "pass",
        tuple(read_layers(read_artifact(folder / "c" / PLAN, Planned), read_artifact(folder / MEASURED, Measured))),
    )


def _score(folder: Path) -> float:
    score = read_artifact(folder / ACCURACY, Accuracy).int8
    assert score is not None, "what trains has labels"
    return score


def best_so_far(searches: Sequence[Path]) -> dict[Method, list[list[float]]]:
    """The curves of these search.json, one a seed."""
    found = [read_artifact(path, Searched).evaluations for path in searches]
    curves: dict[Method, list[list[float]]] = {}
    for method in METHODS:
        rows = [list(accumulate((one.accuracy for one in f[method]), max)) for f in found]
        length = max(map(len, rows))  # in small spaces a search may run out of networks
        curves[method] = [row + row[-1:] * (length - len(row)) for row in rows]
    return curves


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def best(contenders: Sequence[Contender], among: Sequence[str]) -> Built | None:
    """Of those named ``among`` that were built, the most accurate on the validation samples: tests choose nothing."""
    built = [one for one in contenders if isinstance(one, Built) and one.name in among]
    return max(built, key=lambda one: one.validation, default=None)


def table(contenders: Sequence[Contender]) -> list[list[str]]:
    """A row of titles, then a row a network: the most accurate first, those that do not fit last."""
    built = sorted((one for one in contenders if isinstance(one, Built)), key=lambda one: -one.accuracy)
    rows = [["network", "input", f"{integers(built)} accuracy", "latency", "SRAM", "Flash", "million MACs", "budget"]]
    for one in built:
        size, verdict = "x".join(map(str, one.input)), "kept" if one.passes else "broken"
        latency = "" if one.latency is None else f"{one.latency:.1f} ms"
        memory = [format_size(one.sram), format_size(one.flash)]
        rows.append([one.name, size, one.spread, latency, *memory, f"{one.macs / 1e6:.2f}", verdict])
    rows += [[one.name, *[""] * 6, "does not fit"] for one in contenders if isinstance(one, Missing)]
    return rows


def integers(built: Iterable[Built]) -> str:
    """What they all compute with."""
    return ", ".join(dict.fromkeys(one.arithmetic for one in built)) or "integer"


def lines(contenders: Sequence[Contender], corners: Sequence[Contender], curves: Curves) -> Iterator[str]:
    """Everything as text."""
    yield from aligned(table(contenders))
    yield ""
    yield "Network and engine, each network chosen for its engine:"
    yield from aligned(table(corners))
    yield from (f"{one.name}: {one.reason}" for one in (*contenders, *corners) if isinstance(one, Missing))
    yield ""
    yield "Best validation accuracy of each search, seed by seed:"
    for method, seeds in curves.items():
        last = [curve[-1] for curve in seeds]
        each = "  ".join(f"{accuracy:.2%}" for accuracy in last)
        spread = f"mean {fmean(last):.2%}, standard deviation {100 * stdev(last):.2f} points"
        yield f"  {METHODS[method]:14} {each}   {spread}"


def plots(contenders: Sequence[Contender], curves: Curves) -> list[Plot]:
    """Accuracy against latency and SRAM, memory by block, search methods over seeds."""
    built = [one for one in contenders if isinstance(one, Built)]
    timed = [(one.latency, one) for one in built if one.latency is not None]
    pictures = [_against("latency, ms", timed)] if timed else []
    pictures.append(_against("SRAM, kB", [(one.sram / 1024, one) for one in built]))
    ceiling = max(layer.live for one in built for layer in one.layers) / 1024
    pictures += [_memory(one, ceiling) for one in built if one.name != ALONE]
    return [*pictures, _methods(curves)]


def _against(title: str, places: Sequence[tuple[float, Built]]) -> Plot:
    """A dot a network; bars are a standard deviation long to each side."""
    bars = [((x, 100 * (one.accuracy - one.deviation)), (x, 100 * (one.accuracy + one.deviation))) for x, one in places]
    return Plot(
        name=f"Accuracy against {title.split(',')[0]}",
        x=linear([x for x, _ in places], title, "{:g}".format, zero=True),
        y=linear(
            [y for bar in bars for _, y in bar],
            f"{integers(one for _, one in places)} accuracy, %",
            "{:g}".format,
            most=101,
        ),
        curves=[Curve(bar, _style(one)) for bar, (_, one) in zip(bars, places, strict=True) if one.deviation],
        dots=[
            Dot(x, 100 * one.accuracy, _style(one), f"{one.name}: {one.spread}, {x:.1f} {title}", 5)
            for x, one in places
        ],
        labels=names([(x, 100 * one.accuracy, one.name) for x, one in places]),
        height=320,
    )


def _style(one: Built) -> str:
    return "evolution" if one.name in (SEARCHED, ALONE) else "random"


def _memory(one: Built, ceiling: float) -> Plot:
    """Peak memory of each block; all networks have the same scale."""
    peaks = [
        (block.title, max(layer.live for layer in one.layers[block.first : block.last + 1]) / 1024)
        for block in blocks(one.layers)
    ]
    return Plot(
        name=f"Peak memory of each block of {one.name}",
        x=Axis(-0.6, len(peaks) - 0.4, "block", ()),
        y=linear([ceiling], "peak memory, kB", "{:g}".format, zero=True),
        boxes=[
            Box((n - 0.4, n + 0.4), (0, height), "code", f"block {n}, {title}: {height:.1f} kB")
            for n, (title, height) in enumerate(peaks)
        ],
        height=140,
    )


def _methods(curves: Curves) -> Plot:
    """The mean over seeds of the best so far, over each seed's last."""
    means = {
        method: [
            (float(number), 100 * fmean(values)) for number, values in enumerate(zip(*seeds, strict=True), start=1)
        ]
        for method, seeds in curves.items()
    }
    last = [
        Dot(len(curve), 100 * curve[-1], method, f"{METHODS[method]}: {curve[-1]:.2%}")
        for method, seeds in curves.items()
        for curve in seeds
    ]
    everything = [y for points in means.values() for _, y in points] + [dot.y for dot in last]
    return Plot(
        name="Best accuracy so far of each search method, mean over seeds",
        x=linear([max(dot.x for dot in last)], "networks evaluated", "{:g}".format, zero=True),
        y=linear(everything, "validation accuracy, %", "{:g}".format, most=100.5),
        curves=[Curve(points, method) for method, points in means.items()],
        dots=last,
        legend=tuple((method, f"{METHODS[method]}: mean over seeds") for method in means),
        height=280,
    )
