"""A data set to be looked at: counts of every split and class, what is odd, and samples with their labels."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.inventory import Inventory
from mcubuild.data.overview import SIZES, Overview
from mcubuild.data.splits import Index
from mcubuild.report.environment import environment
from mcubuild.report.picture import png
from mcubuild.report.plot import Axis, Curve, Plot

TITLES = {"train": "training", "val": "validation", "test": "test"}
"""What the splits are for."""
_LINES = ("int8", "macs", "weights", "code", "data", "k1")
"""Styles of the curves of a measurement; channels beyond them begin again."""
_LISTED = 40
"""Classes that a terminal lists."""


@dataclass(frozen=True)
class Shown:
    """A sample on the page."""

    name: str
    split: str
    label: str
    image: str | None
    """A data URI."""
    sound: str | None
    """A data URI."""
    plot: Plot | None


def counted(index: Index, shown: Overview) -> list[list[str]]:
    """Titles, a row a class, and the sum: samples of each split."""
    splits = [split for split in TITLES if split in shown.counts]
    rows = [[name, *(str(shown.counts[split][label]) for split in splits)] for label, name in enumerate(index.classes)]
    total = ["all", *(str(sum(shown.counts[split])) for split in splits)]
    if shown.empty is not None:
        total[0] = "all boxes"
        empty = ["pictures without a box", *(str(shown.empty[split]) for split in splits)]
        return [["boxes of", *(TITLES[split] for split in splits)], *rows, empty, total]
    return [["class", *(TITLES[split] for split in splits)], *rows, total]


def lines(index: Index, inventory: Inventory, shown: Overview) -> Iterator[str]:
    """The counts as text, and the cautions."""
    titles, *rows, total = counted(index, shown)
    cut = rows if len(rows) <= _LISTED else [*rows[: _LISTED // 2], *rows[-_LISTED // 2 :]]
    widest = max(len(row[0]) for row in (titles, *cut, total))
    yield f"{described(index, shown)}."
    for number, row in enumerate((titles, *cut, total)):
        if len(cut) < len(rows) and number == _LISTED // 2 + 1:
            yield f"... {len(rows) - len(cut)} classes more, in the page"
        yield "  ".join([f"{row[0]:<{widest}}", *(f"{cell:>10}" for cell in row[1:])])
    yield from (f"caution: {caution}." for caution in inventory.cautions)


def described(index: Index, shown: Overview) -> str:
    """What the samples are, in a line."""
    height, width, channels = shown.x.shape[1:]
    told = f"{index.kind.replace('_', ' ')}, {len(index.classes)} classes; stored as "
    if not shown.pictures:
        return f"{told}windows of {height} values in each of {width * channels} channels"
    told += f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"
    if index.front_end is not None:
        seconds = index.front_end.clip / index.front_end.sample_rate
        told += f" spectrograms of {seconds:.3g} s at {index.front_end.sample_rate} Hz"
    return told


def render(name: str, index: Index, inventory: Inventory, shown: Overview) -> str:
    """The page.

    Args:
        name: of the spec.
        index: of its data set.
        inventory: of the same.
        shown: counts, and the samples to show.
    """
    shape = index.pictures.size if index.pictures is not None and index.pictures.whole else None
    examples = [
        Shown(
            one.name,
            TITLES[one.split],
            index.classes[one.label],
            png(x, boxes=one.boxes, shape=shape) if shown.pictures else None,
            None if one.sound is None else f"data:audio/wav;base64,{base64.b64encode(one.sound).decode()}",
            None if shown.pictures else measured(x),
        )
        for one, x in zip(shown.examples, shown.x, strict=True)
    ]
    return (
        environment()
        .get_template("data.html.j2")
        .render(
            name=name,
            described=described(index, shown),
            cautions=inventory.cautions,
            counts=counted(index, shown),
            examples=examples,
            sounds=index.front_end is not None,
            measurements=not shown.pictures,
            boxes=shown.empty is not None,
            sizes=_sizes(shown.sizes),
        )
    )


def _sizes(counts: Sequence[int]) -> list[tuple[str, int, float]]:
    """Of boxes to train with, a bar for each range of sizes: the range, how many, and their share of the most."""
    sides = [f"{100 * share**0.5:g} %" for share in SIZES]
    names = [f"up to {high}" if not number else f"{sides[number - 1]} to {high}" for number, high in enumerate(sides)]
    most = max([1, *counts])
    return [(name, count, count / most) for name, count in zip(names, counts, strict=False)]


def measured(x: NDArray[np.uint8]) -> Plot:
    """A window of measurements (T, 1, C), or anything else that is no picture, as a line for each channel."""
    channels = x.reshape(len(x), -1).T
    curves = [
        Curve([(float(at), float(level)) for at, level in enumerate(channel)], _LINES[number % len(_LINES)])
        for number, channel in enumerate(channels)
    ]
    return Plot("Levels over time", _axis(len(x) - 1), _axis(255, (0, 255)), curves=curves, height=90)


def _axis(high: float, ticks: Sequence[float] = ()) -> Axis:
    return Axis(0, high, ticks=tuple((tick, f"{tick:g}") for tick in ticks))
