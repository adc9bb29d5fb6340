"""Whether a spec's data is enough: ``doit curve spec=<file> [sizes=20,60,200,600,all] [draws=5] [archs=NAME,...]``.

Every point is a variant of the spec with so many samples a class and goes through the stages that any spec has, so the
store keeps what was done. Nothing of it lands in the spec's own build folder.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.errors import BuildError, NothingFitsError
from rules import duration
from rules.command import Command
from rules.commands import beginner
from rules.commands.baselines import copy, known_archs, reseeded, variant
from rules.execute import action_key, execute
from rules.graph import STAGES
from rules.known import Files
from rules.options import ARCHS, DRAWS, SIZES
from rules.stage import BUILD, Resolved, Stage, leading_to, pipeline, trains
from rules.stages import accuracy, dataset

if TYPE_CHECKING:
    from mcubuild.bench.curve import Point, Size

PUBLISHED: Mapping[str, str] = {
    "image_classification": "resnet8",
    "audio_classification": "ds_cnn",
    "sensor_classification": "ds_cnn",
}
"""The published network of each task: MLPerf Tiny's (arXiv 2106.07597). Others are asked for by name."""


@dataclass(frozen=True)
class _Contender:
    """A way to learn."""

    name: str
    resolved: Resolved
    stages: tuple[Stage, ...]
    """From the data set on."""
    figure: tuple[str, str]
    """The artifact with the accuracy on the test samples, and its key there."""


class _Clock:
    """Wall times of stages, by what they made: in a file, as a later run finds their results in the store."""

    def __init__(self, path: Path) -> None:
        self._path, self._seconds = path, dict[str, float | None]()
        with suppress(OSError, ValueError):  # times that are lost are not known
            self._seconds = json.loads(path.read_text(encoding="utf-8"))

    def execute(self, stage: Stage, resolved: Resolved, folder: Path, files: Files) -> float | None:
        """Run ``stage``; how long it took, or None if that is not known: interrupted, or done elsewhere."""
        key = action_key(stage, resolved, folder, files)
        fresh = key not in self._seconds
        if fresh:
            self._keep(key, None)
        done = execute(stage, resolved, folder, files)
        if fresh and done["origin"] == "built":
            self._keep(key, float(done["seconds"]))
        return self._seconds[key]

    def _keep(self, key: str, seconds: float | None) -> None:
        from mcubuild.nas.space.files import write_json

        self._seconds[key] = seconds
        write_json(self._seconds, self._path)


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


def _with_samples(resolved: Resolved, most: int | None, draw: int) -> Resolved:
    """The spec with at most so many samples of a class, of which another ``draw`` takes others."""
    settings = resolved["spec"]["dataset"]
    most = settings["samples"] if most is None else most
    part = {"samples": most, "draw": 0 if most is None else settings["draw"] + draw}
    return {**resolved, "spec": {**resolved["spec"], "dataset": {**settings, **part}}}


def _sizes(folder: Path, asked: Sequence[int | None]) -> list["Size"]:
    """Those of the sizes asked for that the data in ``folder`` has; the others are told."""
    import numpy as np

    from mcubuild.bench.curve import ALL, Size
    from mcubuild.data.splits import read_split

    labelled = np.bincount(np.concatenate([read_split(folder / f"{name}.npz").y for name in ("train", "val")]))
    there = [most for most in asked if most is None or most < labelled.max()]
    if missing := [str(most) for most in asked if most not in there]:
        told = f"sizes={','.join(missing)}: no class has more than {labelled.max()} samples to learn from"
        if not there:
            raise BuildError(f"{told}; write smaller ones, or sizes=all.")
        print(f"  {told}; left out.")
    return [
        Size(ALL, float(labelled.mean())) if most is None else Size(str(most), float(labelled.clip(max=most).mean()))
        for most in there
    ]


def _contenders(resolved: Resolved) -> Iterator[_Contender]:
    from mcubuild.bench.comparison import SEARCHED
    from mcubuild.bench.curve import FOREST, PLAIN

    for name, arch in [(SEARCHED, None), *((arch, arch) for arch in _archs(resolved))]:
        other = variant(resolved, arch)
        stages = leading_to({accuracy.STAGE.outputs[0]}, pipeline(STAGES, other))
        behind = tuple(stage for stage in stages if stage.name != dataset.STAGE.name)
        yield _Contender(name, other, behind, (accuracy.STAGE.outputs[0], "int8"))
    for name, stage in ((PLAIN, beginner.PLAIN), (FOREST, beginner.FOREST)):
        yield _Contender(name, resolved, (stage,), (stage.outputs[0], "accuracy"))


def _learn(contender: _Contender, draw: int, folder: Path, files: Files, clock: _Clock) -> tuple[float, float | None]:
    """Accuracy and wall time of ``contender`` with the data set in ``folder``.

    Raises:
        BuildError: something cannot be done.
    """
    own = folder / contender.name
    copy(dataset.STAGE.outputs, folder, own)
    duration.tell_nothing_of(own)
    resolved, took = reseeded(contender.resolved, draw), list[float | None]()
    for stage in contender.stages:
        seconds = clock.execute(stage, resolved, own, files)
        if stage.name != accuracy.STAGE.name:
            took.append(seconds)
    artifact, key = contender.figure
    found = json.loads((own / artifact).read_text(encoding="utf-8"))[key]
    shutil.rmtree(own)
    known = [seconds for seconds in took if seconds is not None]
    return float(found), sum(known) if len(known) == len(took) else None


def _draw(resolved: Resolved) -> None:
    from mcubuild.bench.curve import Point, lines
    from mcubuild.data.inventory import read_inventory
    from mcubuild.units import format_time

    if resolved["spec"]["task"] not in PUBLISHED:
        raise BuildError(
            f'task: found "{resolved["spec"]["task"]}"; a curve compares amounts of samples that have a class each, as '
            f"{', '.join(PUBLISHED)} have: ask for another spec."
        )
    asked, draws, contenders = _asked(), DRAWS.number, list(_contenders(resolved))
    folder = BUILD / "curve" / resolved["spec"]["name"]
    place, files, clock = folder / "point", Files(None), _Clock(folder / "times.json")
    execute(dataset.STAGE, resolved, place, files)
    sizes = _sizes(place, asked)
    tested = read_inventory(place / "inventory.json").splits["test"]
    total, points, missing = len(sizes) * draws * len(contenders), list[Point](), dict[str, str]()
    names = ", ".join(contender.name for contender in contenders)
    print(
        f"  {total} points: draws {draws}, samples a class {', '.join(size.title for size in sizes)}; {names}",
        flush=True,
    )
    number = 0
    for draw in range(draws):
        for size in sizes:
            part = _with_samples(resolved, None if size.name == "all" else int(size.name), draw)
            execute(dataset.STAGE, part, place, files)
            for contender in contenders:
                number += 1
                told = f"  {number}/{total}  draw {draw + 1}, {size.title} a class, {contender.name}"
                try:
                    found, seconds = _learn(contender, draw, place, files, clock)
                except NothingFitsError as error:
                    if not contender.resolved["spec"]["arch"]:
                        raise
                    missing.setdefault(contender.name, str(error))
                    print(f"{told}: does not fit", flush=True)
                    continue
                points.append(Point(contender.name, size.name, draw, found, seconds))
                took = "" if seconds is None else f", {format_time(seconds)}"
                print(f"{told}: {found:.2%}{took}", flush=True)
        _show(resolved, sizes, points, tested, folder)
    shutil.rmtree(place)
    reasons = [f"{name}: {reason}" for name, reason in missing.items()]
    print("", *lines(sizes, points, tested), *reasons, f"picture: {folder / 'curve.html'}", sep="\n")


def _show(resolved: Resolved, sizes: Sequence["Size"], points: Sequence["Point"], tested: int, folder: Path) -> None:
    """Write curve.html and curve.json of what there is so far."""
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
    (folder / "curve.html").write_text(page, encoding="utf-8")
    values: dict[str, Any] = {"name": resolved["spec"]["name"], **to_json(sizes, points, tested)}
    write_json(values, folder / "curve.json")


def _notes() -> Iterator[str]:
    yield (
        "All learn from the same labelled samples. The searched and the published network are chosen by some of them, "
        "kept apart until then, keep the budget and are judged as integers, as on the board; plain network and random "
        "forest learn from all of them from the start, in floating point and without a budget."
    )
    yield f"Times are of this machine ({os.cpu_count()} cores), the plain network's of one core."


COMMAND = Command(
    name="curve",
    doc="accuracy and time of {} against the number of samples to learn from",
    work=_draw,
    serves=trains,
)
