"""Test accuracy and time of several ways to learn against the number of samples, and what more of them would bring."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.bench.comparison import SEARCHED
from mcubuild.report.plot import Axis, Curve, Dot, Plot
from mcubuild.report.variants import aligned
from mcubuild.units import format_time

PLAIN = "plain network"
FOREST = "random forest"
ALL = "all"
WORTH = 0.01
"""A gain of less accuracy than a point is not worth twice as many samples."""
_STYLES = {SEARCHED: "evolution", PLAIN: "random", FOREST: "scratch"}
_OTHERS = ("k7", "macs", "weights")
"""Styles of published networks."""
_UNITS = ((1, "s", (0.1, 0.2, 0.5, 1, 2, 5, 10, 30)), (60, "min", (1, 2, 5, 10, 30)), (3600, "h", (1, 3, 10, 30, 100)))
"""Seconds of a unit of time, its name, and how many of it an axis marks."""
_SHARES = (0, 20, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
"""Accuracies that an axis marks, in percent."""
_DODGE = 0.012
"""Share of a chart's width by which bars of the same size stand apart."""


@dataclass(frozen=True)
class Size:
    """How many samples a class there are to learn from."""

    name: str
    """As it was asked for: a number, or ``all``."""
    samples: float
    """Labelled ones of a class, validation included: the mean over classes."""

    @property
    def title(self) -> str:
        """For people."""
        return self.name if self.name != ALL else f"{ALL} ({self.samples:.0f})"


@dataclass(frozen=True)
class Point:
    """One training."""

    contender: str
    size: str
    draw: int
    accuracy: float
    """On the test samples, 0 ... 1."""
    seconds: float | None
    """Wall time; None where it is not known, as the store had the result already or a run was interrupted."""


@dataclass(frozen=True)
class Growth:
    """What samples bring: a power law, error = factor * samples ** exponent, fitted to the error on the test samples.

    Such laws are those of Hestness et al., "Deep learning scaling is predictable, empirically" (arXiv 1712.00409).
    """

    factor: float
    exponent: float
    margin: float | None
    """Half the exponent's 95 % interval; None where two points say nothing of it."""
    error: float
    """Measured with the most samples, the mean over draws, 0 ... 1."""
    samples: float
    """Of a class, the most."""
    step: tuple[float, float]
    """Samples of a class between which the last step was."""
    gains: tuple[float, ...]
    """Accuracy that the last step brought, draw by draw."""

    def doubled(self, deviation: float = 0.0) -> float:
        """Accuracy, 0 ... 1, that twice as many samples would bring, if the exponent is larger by ``deviation``."""
        return self.error * (1 - 2 ** (self.exponent + deviation))


def growth(sizes: Sequence[Size], points: Sequence[Point], tested: int) -> Growth | None:
    """The law of the searched network, by least squares of the errors' logarithms; None of less than two sizes.

    The exponent's variance is that of the draws, or that of their means around the law if this is larger: where no
    power law fits, the interval grows with it. Half a wrong answer is added to each error, so that none is zero.

    Args:
        sizes: ascending.
        points: of all contenders; draws that lack a size do not count.
        tested: number of test samples.
    """
    found = {(point.size, point.draw): point.accuracy for point in points if point.contender == SEARCHED}
    sizes = [size for size in sizes if any(name == size.name for name, _ in found)]
    draws = [draw for draw in sorted({draw for _, draw in found}) if all((size.name, draw) in found for size in sizes)]
    if len(sizes) < 2 or not draws:
        return None
    accuracies = np.array([[found[size.name, draw] for draw in draws] for size in sizes])
    x = np.log([size.samples for size in sizes])
    y = np.log(((1 - accuracies) * tested + 0.5) / (tested + 1))
    exponent, height = np.polyfit(x, y.mean(axis=1), 1)
    return Growth(
        math.exp(height),
        float(exponent),
        _margin(x, y, y.mean(axis=1) - (exponent * x + height)),
        float(1 - accuracies[-1].mean()),
        sizes[-1].samples,
        (sizes[-2].samples, sizes[-1].samples),
        tuple((accuracies[-1] - accuracies[-2]).tolist()),
    )


def _margin(x: NDArray[np.float64], y: NDArray[np.float64], off: NDArray[np.float64]) -> float | None:
    """Half the 95 % interval of the slope of ``y`` (sizes, draws) over ``x`` (sizes,), whose means are ``off`` it."""
    from scipy.special import stdtrit

    sizes, draws = y.shape
    variances = []
    if draws > 1:
        variances.append(float(y.var(axis=1, ddof=1).mean()))
    if sizes > 2:
        variances.append(draws * float((off**2).sum()) / (sizes - 2))
    if not variances:
        return None
    spread = draws * float(((x - x.mean()) ** 2).sum())
    return float(stdtrit(sizes * draws - 2, 0.975)) * math.sqrt(max(variances) / spread)


def answer(found: Growth | None) -> Iterator[str]:
    """Whether the data is enough, in sentences."""
    if found is None:
        yield "That cannot be told from one size: ask for several, such as sizes=20,60,all."
        return
    twice = f"twice as many samples ({2 * found.samples:.0f} a class)"
    expected = found.doubled()
    if found.margin is None:
        yield (
            f"That cannot be told from one draw of two sizes: ask for draws=5; {twice} would bring "
            f"{_points(expected)} if nothing were left to chance."
        )
    else:
        least, most = found.doubled(found.margin), found.doubled(-found.margin)
        range_ = f"{100 * least:+.1f} to {100 * most:+.1f} points, 95 %"
        if most < WORTH:
            yield f"Yes: {twice} of this kind would hardly help ({range_})."
        elif least <= 0:
            yield (
                f"That cannot be told: {twice} would bring anything from {range_}, as draws differ too much for what "
                f"sizes bring, or sizes follow no simple law. More draws, sizes and test samples narrow that."
            )
        elif expected < WORTH:
            yield f"Nearly: {twice} would help a little ({range_})."
        else:
            yield f"No, more would help: {twice} would bring about {_points(expected)} ({range_})."
    (low, high), margin = found.step, "" if found.margin is None else f" +- {found.margin:.2f}"
    yield (
        f"The last step, from {low:.0f} to {high:.0f} samples a class, brought {_spread(found.gains)} points; over all "
        f"sizes the error goes with the samples to the power of {found.exponent:.2f}{margin}."
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


def _spread(shares: Sequence[float]) -> str:
    """Mean and, of several, standard deviation in percent, for people."""
    mean = f"{100 * fmean(shares):.1f}"
    return mean if len(shares) == 1 else f"{mean} +- {100 * stdev(shares):.1f}"


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.contender for point in points))


def _of(points: Sequence[Point], contender: str, size: Size) -> list[Point]:
    return [point for point in points if (point.contender, point.size) == (contender, size.name)]


def _seconds(points: Sequence[Point]) -> list[float]:
    return [point.seconds for point in points if point.seconds is not None]


def accuracy_table(sizes: Sequence[Size], points: Sequence[Point]) -> list[list[str]]:
    """A row of titles, then a row a contender."""
    rows = [["test accuracy, %", *(size.title for size in sizes)]]
    for name in _names(points):
        cells = [_of(points, name, size) for size in sizes]
        rows.append([name, *(_spread([point.accuracy for point in cell]) if cell else "-" for cell in cells)])
    return rows


def lead_table(sizes: Sequence[Size], points: Sequence[Point]) -> list[list[str]]:
    """By how much the searched network is ahead of each other contender, draw by draw."""
    rows = [[f"{SEARCHED} ahead by, points", *(size.title for size in sizes)]]
    for name in [name for name in _names(points) if name != SEARCHED]:
        cells = []
        for size in sizes:
            ours = {point.draw: point.accuracy for point in _of(points, SEARCHED, size)}
            ahead = [ours[point.draw] - point.accuracy for point in _of(points, name, size) if point.draw in ours]
            cells.append(_spread(ahead) if ahead else "-")
        rows.append([f"of {name}", *cells])
    return rows


def time_table(sizes: Sequence[Size], points: Sequence[Point]) -> list[list[str]]:
    """The same of the mean wall time."""
    rows = [["time", *(size.title for size in sizes)]]
    for name in _names(points):
        cells = [_seconds(_of(points, name, size)) for size in sizes]
        rows.append([name, *(format_time(fmean(cell)) if cell else "-" for cell in cells)])
    return rows


def tables(sizes: Sequence[Size], points: Sequence[Point]) -> list[list[list[str]]]:
    """All of them, of the same width."""
    return [accuracy_table(sizes, points), lead_table(sizes, points), time_table(sizes, points)]


def lines(sizes: Sequence[Size], points: Sequence[Point], tested: int) -> Iterator[str]:
    """Everything as text."""
    for rows in tables(sizes, points):
        yield from aligned(rows)
        yield ""
    first, *others = answer(growth(sizes, points, tested))
    yield from (f"Is the data enough? {first}", *others)


def to_json(sizes: Sequence[Size], points: Sequence[Point], tested: int) -> dict[str, Any]:
    """Everything for a JSON file."""
    found = growth(sizes, points, tested)
    return {
        "sizes": [asdict(size) for size in sizes],
        "test_samples": tested,
        "points": [asdict(point) for point in points],
        "growth": found and {**asdict(found), "doubled": found.doubled()},
        "answer": list(answer(found)),
    }


def plots(sizes: Sequence[Size], points: Sequence[Point], tested: int) -> list[Plot]:
    """Accuracy and time against samples; a bar is a standard deviation long to each side."""
    styles = {name: _STYLES.get(name) for name in _names(points)}
    others = iter(_OTHERS * len(styles))
    known = {name: style or next(others) for name, style in styles.items()}
    timed = [point for point in points if point.seconds]
    pictures = [_accuracy(sizes, points, known, growth(sizes, points, tested), tested)]
    return [*pictures, _time(sizes, timed, known)] if timed else pictures


def _places(sizes: Sequence[Size], names: Sequence[str], high: float) -> dict[tuple[str, str], float]:
    """Where a size's points of a contender stand, by their names: at the samples' logarithm, and beside each other."""
    width = (high - math.log2(sizes[0].samples)) or 1.0
    return {
        (name, size.name): math.log2(size.samples) + _DODGE * width * (number - (len(names) - 1) / 2)
        for number, name in enumerate(names)
        for size in sizes
    }


def _samples(sizes: Sequence[Size], high: float) -> Axis:
    low = math.log2(sizes[0].samples)
    room = 0.06 * ((high - low) or 1.0)
    ticks = tuple((math.log2(size.samples), size.title) for size in sizes)
    return Axis(low - room, high + room, "samples a class to learn from", ticks)


def _height(accuracy: float, tested: int) -> float:
    """Where an accuracy stands: by the error's logarithm, so that a power law is straight; below half an answer alike.

    So 90 and 95 % are as far apart as 98 and 99 %, while differences between good contenders can be seen.
    """
    return -math.log10(max(1 - accuracy, 0.5 / tested))


def _accuracy(
    sizes: Sequence[Size], points: Sequence[Point], styles: Mapping[str, str], law: Growth | None, tested: int
) -> Plot:
    high = math.log2(sizes[-1].samples) + (law is not None)
    places = _places(sizes, [*styles], high)
    curves, dots = [], []
    for name, style in styles.items():
        row = []
        for size in sizes:
            if cell := [point.accuracy for point in _of(points, name, size)]:
                x, mean, off = places[name, size.name], fmean(cell), stdev(cell) if len(cell) > 1 else 0.0
                row.append((x, _height(mean, tested)))
                ends = [(x, _height(end, tested)) for end in (mean - off, mean + off)]
                curves += [Curve(ends, style)] if off else []
                dots.append(Dot(*row[-1], style, f"{name}, {size.title} a class: {_spread(cell)} %", 4.5))
        curves.append(Curve(row, style))
    legend = [(style, name) for name, style in styles.items()]
    if law is not None:
        ends = [(x, -math.log10(law.factor * 2 ** (x * law.exponent))) for x in (math.log2(sizes[0].samples), high)]
        curves.append(Curve(ends, "chosen dashed"))
        legend.append(("chosen dashed", f"power law of the {SEARCHED} network, to twice the samples"))
    heights = [y for curve in curves for _, y in curve.points]
    room = 0.05 * ((max(heights) - min(heights)) or 1.0)
    low, top = min(heights) - room, max(heights) + room
    marks = [(_height(share / 100, tested), f"{share:g}") for share in _SHARES]
    return Plot(
        name="Accuracy against training samples",
        x=_samples(sizes, high),
        y=Axis(low, top, "accuracy on the test samples, %", tuple(mark for mark in marks if low <= mark[0] <= top)),
        curves=curves,
        dots=dots,
        legend=legend,
        height=340,
    )


def _time(sizes: Sequence[Size], points: Sequence[Point], styles: Mapping[str, str]) -> Plot:
    high = math.log2(sizes[-1].samples)
    curves, dots = [], []
    for name, style in styles.items():
        row = []
        for size in sizes:
            if cell := _seconds(_of(points, name, size)):
                row.append((math.log2(size.samples), math.log10(fmean(cell))))
                dots.append(Dot(*row[-1], style, f"{name}, {size.title} a class: {format_time(fmean(cell))}", 4.5))
        curves.append(Curve(row, style))
    heights = [dot.y for dot in dots]
    low, top = min(heights) - 0.15, max(heights) + 0.15
    marks = [(math.log10(unit * count), f"{count:g} {name}") for unit, name, counts in _UNITS for count in counts]
    return Plot(
        name="Time against training samples",
        x=_samples(sizes, high),
        y=Axis(low, top, "wall time until the network is trained", tuple(m for m in marks if low <= m[0] <= top)),
        curves=curves,
        dots=dots,
        legend=[(style, name) for name, style in styles.items()],
        height=280,
    )
