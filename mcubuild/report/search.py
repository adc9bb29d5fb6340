"""The search: how fast each method found good networks, and accuracy against latency of all that were looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from mcubuild.artifacts.searched import Evaluated, Method, Searched
from mcubuild.errors import BuildError
from mcubuild.nas.space.arch import Arch
from mcubuild.report.amounts import titled
from mcubuild.report.plot import Axis, Curve, Dot, Plot, Rule, linear, stairs
from mcubuild.tasks import Metric
from mcubuild.units import format_size, format_time

METHODS: Mapping[Method, str] = {"evolution": "evolution", "random": "random search"}
"""In the order in which they are drawn, the last on top; a search may lack one."""
NEAR = 1.5
"""A latency limit beyond this many times the slowest network is not drawn: it would squeeze all points to the left."""

ROWS = 16
"""Of the table of networks that no other beats, at most."""


def built(search: Searched, arch: Mapping[str, Any]) -> Evaluated:
    """What the search knows of the network in arch.json.

    Raises:
        BuildError: it has not evaluated it.
    """
    network = Arch.from_json(dict(arch))
    evaluated = {one.key: one for found in search.evaluations.values() for one in found}
    evaluated[search.chosen.key] = search.chosen
    for key in (f"{network.space.name}:{network.key}", network.key):  # of a neighbour; of the space itself
        if key in evaluated:
            return evaluated[key]
    raise BuildError("arch.json: the network is not one of search.json; delete both and build again.")


def _methods(search: Searched) -> dict[Method, tuple[Evaluated, ...]]:
    return {method: search.evaluations[method] for method in METHODS if search.evaluations.get(method)}


def history_plot(search: Searched, metric: Metric) -> Plot:
    """The best network so far against the number of networks, over dots for each network."""
    methods = _methods(search)
    curves, dots = [], []
    for method, evaluations in methods.items():
        accuracies = [100 * evaluation.accuracy for evaluation in evaluations]
        curves.append(Curve(stairs(list(enumerate(accumulate(accuracies, max), start=1))), method))
        dots += [Dot(number, y, f"{method} pale", radius=2) for number, y in enumerate(accuracies, start=1)]
    count = max(len(evaluations) for evaluations in methods.values())
    return Plot(
        name=f"Best {metric.name} so far of each search method",
        x=linear([count], "networks evaluated", "{:g}".format, zero=True, room=0),
        y=linear([dot.y for dot in dots], f"validation {metric.name}, %", "{:g}".format, most=100),
        curves=curves,
        dots=dots,
        legend=tuple((method, f"{METHODS[method]}: best so far") for method in methods),
        height=280,
    )


def pareto_plot(search: Searched, chosen: Evaluated, metric: Metric) -> Plot:
    """Score against estimated latency, the networks that no other beats in both connected, the chosen one ringed."""
    methods, limit = _methods(search), search.limits.latency
    everything = [(1e3 * one.latency, 100 * one.accuracy) for found in methods.values() for one in found]
    dots = [
        Dot(1e3 * one.latency, 100 * one.accuracy, method, _hint(method, one), 3)
        for method, evaluations in methods.items()
        for one in evaluations
    ]
    dots.append(Dot(1e3 * chosen.latency, 100 * chosen.accuracy, "ring", _hint("chosen", chosen), 8))
    slowest = max(x for x, _ in everything)
    limits = [1e3 * limit] if limit is not None and 1e3 * limit <= NEAR * slowest else []
    axis = linear([*(x for x, _ in everything), *limits], "estimated latency, ms", "{:g}".format)
    return Plot(
        name=f"{titled(metric.name)} against latency of the networks that the search evaluated",
        x=Axis(max(axis.low, 0), axis.high, axis.title, axis.ticks),
        y=linear([y for _, y in everything], f"validation {metric.name}, %", "{:g}".format, most=100.5),
        curves=[Curve(stairs(frontier(everything)), "chosen")],
        dots=dots,
        rules=[Rule(value, f"limit {format_time(value / 1e3)}", vertical=True) for value in limits],
        legend=(*((method, METHODS[method]) for method in methods), ("ring", "built")),
        height=280,
        key="dot",
    )


@dataclass(frozen=True)
class Row:
    """A network that no other beats."""

    accuracy: str
    latency: str
    sram: str
    flash: str
    macs: str
    key: str
    """As ``search.choose`` takes it."""
    built: bool


@dataclass(frozen=True)
class Table:
    """Networks that no other beats in accuracy, latency, SRAM and Flash, the most accurate first."""

    rows: list[Row]
    """At most 16 of them, evenly spread, and the one that was built."""
    all: int
    """How many there are."""
    complete: bool
    """Whether ``rows`` has all of them."""
    beaten: bool
    """Whether the one that was built is no such network."""


def front_table(search: Searched, chosen: Evaluated) -> Table:
    """The front of the search, and the network that was built even if another beats it."""
    front = search.front
    last = len(front) - 1
    shown = {round(number * last / (ROWS - 1)) for number in range(ROWS)}
    others = [one for index, one in enumerate(front) if index in shown and one.key != chosen.key]
    rows = [
        Row(
            f"{100 * one.accuracy:.1f} %",
            format_time(one.latency),
            format_size(one.sram),
            format_size(one.flash),
            f"{one.macs / 1e6:.2f}",
            one.key,
            one.key == chosen.key,
        )
        for one in sorted([*others, chosen], key=lambda one: -float(one.accuracy))
    ]
    beaten = all(one.key != chosen.key for one in front)
    return Table(rows, len(front), len(rows) - beaten == len(front), beaten)


def frontier(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (latency, accuracy) points that are more accurate than every faster one, by latency."""
    best: list[tuple[float, float]] = []
    for latency, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((latency, accuracy))
    return best


def _hint(method: str, one: Evaluated) -> str:
    return (
        f"{method}: {100 * one.accuracy:.1f} %, {format_time(one.latency)}, {format_size(one.sram)} SRAM, "
        f"{format_size(one.flash)} Flash, {one.macs / 1e6:.2f} million MACs"
    )
