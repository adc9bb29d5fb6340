"""Whether a spec's data is enough: ``doit curve spec=<file> [sizes=20,60,200,600,all] [draws=5] [archs=NAME,...]``.

Every point is a build derived from the spec's, with so many samples a class.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.errors import BuildError
from rules.command import Command
from rules.commands.baselines import known_archs, variant
from rules.derived import Comparison, derived, folder, lacking, reseeded, upto
from rules.graph import HISTORY, STAGES
from rules.known import FILES
from rules.options import ARCHS, DRAWS, SIZES
from rules.stage import BUILD, Resolved, leading_to, pipeline, trains
from rules.stages import accuracy, dataset, forest, plain

if TYPE_CHECKING:
    from mcubuild.bench.curve import Point, Size

_NAME = "curve"
PUBLISHED: Mapping[str, str] = {
    "image_classification": "resnet8",
    "audio_classification": "ds_cnn",
    "sensor_classification": "ds_cnn",
}
"""The published network of each task: MLPerf Tiny's (arXiv 2106.07597). Others are asked for by name."""


@dataclass(frozen=True)
class _Learner:
    """A way to learn, with some of the samples."""

    name: str
    size: str
    """Samples of a class, or ``all``."""
    draw: int
    samples: Resolved
    """The build that makes them."""
    build: Resolved
    figure: tuple[str, str]
    """The artifact with the accuracy on the test samples, and its key there."""

    def found(self) -> float:
        """The accuracy, 0 ... 1."""
        artifact, key = self.figure
        return float(json.loads((folder(self.build) / artifact).read_text(encoding="utf-8"))[key])

    def seconds(self) -> float | None:
        """Wall time of what it took to learn; None if that is not known: it was interrupted, or done elsewhere."""
        taken = list[float | None]()
        for stage in leading_to({self.figure[0]}, pipeline(STAGES, self.build)):
            if stage.name not in (dataset.STAGE.name, accuracy.STAGE.name):
                made = FILES.made(folder(self.build) / stage.outputs[0])
                taken.append(HISTORY.seconds(made.key) if made else None)
        known = [seconds for seconds in taken if seconds is not None]
        return sum(known) if len(known) == len(taken) else None


def _asked() -> list[int | None]:
    """Numbers of samples a class, ascending; None, for all, is the last."""
    words = SIZES.words
    numbers = {int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 10}
    if not words or len({*words} - {"all"}) > len(numbers) or min(numbers, default=2) < 2:
        raise BuildError(
            f"sizes={SIZES.given}: must be whole numbers from 2 on, or all, separated by commas; such as "
            f"sizes={SIZES.default}."
        )
    return [*sorted(numbers), *[None] * ("all" in words)]


def _archs(resolved: Resolved) -> list[str]:
    return [] if ARCHS.given == "none" else known_archs([PUBLISHED[resolved["spec"]["task"]]])


def _with_samples(resolved: Resolved, most: int | None, draw: int) -> dict[str, Any]:
    """The fields of the spec with at most so many samples of a class, of which another ``draw`` takes others."""
    settings = resolved["spec"]["dataset"]
    most = settings["samples"] if most is None else most
    part = {"samples": most, "draw": 0 if most is None else settings["draw"] + draw}
    return {"dataset": {**settings, **part}}


def _sizes(resolved: Resolved, asked: Sequence[int | None]) -> tuple[list["Size"], str]:
    """Those of the sizes asked for that the data of the spec has, and what is told of the others.

    Raises:
        BuildError: it has none of them.
    """
    import numpy as np

    from mcubuild.bench.curve import ALL, Size
    from mcubuild.data.splits import read_split

    splits = (read_split(folder(resolved) / f"{name}.npz") for name in ("train", "val"))
    labelled = np.bincount(np.concatenate([split.y for split in splits]))
    there = [most for most in asked if most is None or most < labelled.max()]
    told = ""
    if missing := [str(most) for most in asked if most not in there]:
        told = f"sizes={','.join(missing)}: no class has more than {labelled.max()} samples to learn from"
        if not there:
            raise BuildError(f"{told}; write smaller ones, or sizes=all.")
    sizes = [
        Size(ALL, float(labelled.mean())) if most is None else Size(str(most), float(labelled.clip(max=most).mean()))
        for most in there
    ]
    return sizes, told


def _learners(resolved: Resolved) -> Iterator[_Learner]:
    """All of them, draw by draw, the smallest size first.

    Raises:
        BuildError: there are no sizes, or no networks, of such names.
    """
    from mcubuild.bench.comparison import SEARCHED
    from mcubuild.bench.curve import ALL, FOREST, PLAIN

    score = accuracy.STAGE.outputs[0]
    ways = [
        (SEARCHED, variant(resolved, None), None, (score, "int8")),
        *((arch, variant(resolved, arch), None, (score, "int8")) for arch in _archs(resolved)),
        (PLAIN, {}, plain.STAGE, (plain.STAGE.outputs[0], "accuracy")),
        (FOREST, {}, forest.STAGE, (forest.STAGE.outputs[0], "accuracy")),
    ]
    for draw in range(DRAWS.number):
        for most in _asked():
            size = str(most or ALL)
            prefix = f"{resolved['spec']['name']}-{_NAME}-{size}-{draw}"
            samples = derived(resolved, prefix, _with_samples(resolved, most, draw), stages=[dataset.STAGE.name])
            for name, fields, stage, figure in ways:
                whole = {**resolved, "spec": {**samples["spec"], **fields}}
                if fields.get("start", True) is None:
                    whole["start"] = None
                stages = [stage.name] if stage else upto({figure[0]}, whole)
                title = f"{prefix}-{stage.name if stage else name}"
                fields = {**fields, **reseeded(whole, draw)}
                build = derived(samples, title, fields, sharing=[dataset.STAGE], stages=stages)
                if build is resolved:  # as far as it learns
                    build = {**build, "stages": stages}
                yield _Learner(name, size, draw, samples, build, figure)


def _derives(resolved: Resolved) -> Comparison:
    if resolved["spec"]["task"] not in PUBLISHED:
        raise BuildError(
            f'task: found "{resolved["spec"]["task"]}"; a curve compares amounts of samples that have a class each, as '
            f"{', '.join(PUBLISHED)} have: ask for another spec."
        )
    learners = [*_learners(resolved)]

    def choice() -> list[Resolved]:
        sizes, told = _sizes(resolved, _asked())
        points = [one.build for one in learners if one.size in [size.name for size in sizes]]
        print(*filter(None, [told and f"  {told}; left out.", f"  {len(points)} points"]), sep="\n", flush=True)
        return points

    samples = {**resolved, "stages": [dataset.STAGE.name]}
    return Comparison([samples], [one for learner in learners for one in (learner.samples, learner.build)], choice)


def _draw(resolved: Resolved) -> None:
    from mcubuild.bench.comparison import SEARCHED
    from mcubuild.bench.curve import Point, lines
    from mcubuild.data.inventory import read_inventory

    sizes, _ = _sizes(resolved, _asked())
    tested = read_inventory(folder(resolved) / "inventory.json").splits["test"]
    points, missing = list[Point](), dict[str, str]()
    for one in _learners(resolved):
        if one.size not in [size.name for size in sizes]:
            continue
        if (reason := lacking(one.build)) is None:
            points.append(Point(one.name, one.size, one.draw, one.found(), one.seconds()))
        elif one.name == SEARCHED:
            raise BuildError(reason)
        else:
            missing.setdefault(one.name, reason)
    page = BUILD / resolved["spec"]["name"] / f"{_NAME}.html"
    _show(resolved, sizes, points, tested, page)
    reasons = [f"{name}: {reason}" for name, reason in missing.items()]
    print("", *lines(sizes, points, tested), *reasons, f"picture: {page}", sep="\n")


def _show(resolved: Resolved, sizes: Sequence["Size"], points: Sequence["Point"], tested: int, path: Path) -> None:
    """Write the page ``path`` and, beside it, the same as JSON."""
    from mcubuild.bench.curve import answer, growth, plots, tables, to_json
    from mcubuild.nas.space.files import write_json
    from mcubuild.report.figures import render

    draws = len({point.draw for point in points})
    several = f"; mean and standard deviation of {draws} draws" if draws > 1 else ""
    page = render(
        f"{resolved['spec']['name']}: is the data enough?",
        f"{resolved['board']['title']}; accuracy on the same {tested} test samples{several}",
        plots(sizes, points, tested),
        [row for rows in tables(sizes, points) for row in rows],
        text=[*answer(growth(sizes, points, tested)), *_notes()],
    )
    path.write_text(page, encoding="utf-8")
    values: dict[str, Any] = {"name": resolved["spec"]["name"], **to_json(sizes, points, tested)}
    write_json(values, path.with_suffix(".json"))


def _notes() -> Iterator[str]:
    yield (
        "All learn from the same labelled samples. The searched and the published network are chosen by some of them, "
        "kept apart until then, keep the budget and are judged as integers, as on the board; plain network and random "
        "forest learn from all of them from the start, in floating point and without a budget."
    )
    yield f"Times are of this machine ({os.cpu_count()} cores), the plain network's of one core."


COMMAND = Command(
    name=_NAME,
    doc="accuracy and time of {} against the number of samples to learn from",
    work=_draw,
    derives=_derives,
    serves=trains,
)
