"""A spec's searched network beside published ones.

``doit baselines spec=<file> [archs=NAME,...] [seeds=N] [trainings=N]``

Each network is a variant of the spec and goes through the stages that any spec has; what was done before comes from
the store. Nothing of it lands in the spec's own build folder.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.errors import BuildError, NothingFitsError
from rules import duration
from rules.command import Command
from rules.execute import execute
from rules.graph import STAGES
from rules.options import ARCHS, SEEDS, TRAININGS
from rules.stage import BUILD, Resolved, Stage, leading_to, pipeline, trains
from rules.stages import dataset, finetune, search, start, train

if TYPE_CHECKING:
    from mcubuild.bench.comparison import Contender

_SEEDS = 2**31
"""As many as a spec may name."""


def variant(resolved: Resolved, arch: str | None, engine: Mapping[str, Any] | None = None, **fields: Any) -> Resolved:
    """The spec with another network, searched for if ``arch`` is None, and other fields."""
    from mcubuild.spec.search import SearchSettings

    spec = {**resolved["spec"], "arch": arch, **fields}
    if engine:
        spec["engine"] = {**spec["engine"], **engine}
        spec["search"] = {**spec["search"], "choose": None}  # another search, which may not know that network
    if arch is None:
        return {**resolved, "spec": spec}
    spec |= {"search": SearchSettings().model_dump(mode="json"), "start": None}
    return {**resolved, "spec": spec, "start": None}


def from_scratch(stages: Iterable[Stage]) -> list[Stage]:
    """The stages with training from scratch, for networks that are searched for too, instead of fine-tuning."""
    kept = [stage for stage in stages if stage.name != train.STAGE.name]
    return [replace(train.STAGE, serves=trains) if stage.name == finetune.STAGE.name else stage for stage in kept]


def reseeded(resolved: Resolved, number: int) -> Resolved:
    """The spec with another seed for each ``number``; a network chosen by its key need not turn up with others."""
    spec = {**resolved["spec"], "seed": (resolved["spec"]["seed"] + number) % _SEEDS}
    if spec["search"] is not None:
        spec["search"] = {**spec["search"], "choose": None}
    return {**resolved, "spec": spec}


def copy(names: Iterable[str], source: Path, folder: Path) -> None:
    """Put the artifacts ``names`` of the folder ``source`` into ``folder``, too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, folder / name)


def _contender(name: str, resolved: Resolved, stages: Sequence[Stage], folder: Path, trainings: int = 1) -> "Contender":
    """Go through ``stages`` in ``folder``; up to the accuracy with other seeds, if there are more ``trainings``.

    Raises:
        BuildError: something else than that no network fits.
    """
    from mcubuild.bench.comparison import Missing, read_built

    others = [folder / f"training{number}" for number in range(1, trainings)]
    try:
        for stage in stages:
            execute(stage, resolved, folder)
        for number, other in enumerate(others, start=1):
            again = reseeded(resolved, number)
            copy(dataset.STAGE.outputs, folder, other)
            for stage in leading_to({"accuracy.json"}, stages):
                if stage.name != dataset.STAGE.name:
                    execute(stage, again, other)
    except NothingFitsError as error:
        return Missing(name, str(error))
    built = read_built(name, folder, others)
    print(f"  {name}: {built.arithmetic} accuracy {built.spread}")
    return built


def _searches(resolved: Resolved, seeds: int, searched: Path, folder: Path) -> list[Path]:
    """search.json of ``seeds`` seeds in the space and super network of the folder ``searched``."""
    found, searching = [], variant(resolved, None)
    (stage,) = (stage for stage in pipeline(STAGES, searching) if stage.name == search.STAGE.name)
    for number in range(seeds):
        own = folder / f"seed{number}"
        copy(stage.inputs, searched, own)
        duration.tell_nothing_of(own)  # a search alone has not all that it takes to tell
        execute(stage, reseeded(searching, number), own)
        found.append(own / "search.json")
    return found


def known_archs(default: Sequence[str]) -> list[str]:
    """The published networks that ``archs=NAME,...`` names, or those of ``default``.

    Raises:
        BuildError: there is no such network.
    """
    from mcubuild.nas.space.baselines import BASELINES

    names = ARCHS.words or list(default)
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise BuildError(f"archs={unknown[0]}: there is no such network; write some of {', '.join(BASELINES)}.")
    return names


def _compare(resolved: Resolved) -> None:
    from mcubuild.bench.comparison import (
        ALONE,
        ENGINES,
        SEARCHED,
        Missing,
        best,
        best_so_far,
        integers,
        lines,
        plots,
        table,
    )
    from mcubuild.nas.space.baselines import BASELINES
    from mcubuild.report.figures import render

    if resolved["spec"]["task"] == "anomaly_detection":
        raise BuildError(
            'task: found "anomaly_detection"; the published networks that are known here are no autoencoders: ask for '
            "another spec."
        )
    archs = known_archs([*BASELINES])
    seeds, trainings = SEEDS.number, TRAININGS.number
    spec = resolved["spec"]
    folder = BUILD / "baselines" / spec["name"]
    searching = variant(resolved, None)
    searched = pipeline(STAGES, searching)
    found = _contender(SEARCHED, searching, searched, folder / SEARCHED, trainings)
    if isinstance(found, Missing):
        raise BuildError(found.reason)
    alone = pipeline(from_scratch(STAGES), searching)
    contenders = [found, _contender(ALONE, searching, alone, folder / "alone", trainings)]
    for arch in archs:
        other = variant(resolved, arch)
        contenders.append(_contender(arch, other, pipeline(STAGES, other), folder / arch, trainings))
    strongest = best(contenders, archs)
    corners = []
    for title, engine in ENGINES.items():
        for corner in (None, strongest.name) if strongest else (None,):
            name, other = f"{corner or SEARCHED}, {title}", variant(resolved, corner, engine)
            place = folder / f"{corner or SEARCHED}-{title.split()[0]}"
            corners.append(_contender(name, other, pipeline(STAGES, other), place, trainings))
    curves = best_so_far(_searches(resolved, seeds, folder / SEARCHED, folder))
    page, kind = folder / "baselines.html", integers([found])
    several = "" if trainings == 1 else f", mean and standard deviation of {trainings} trainings"
    subtitle = f"{resolved['board']['title']}; {kind} accuracy on the test samples{several}; latency modelled"
    pictures = plots(contenders, curves)
    page.write_text(
        render(f"{spec['name']}: beside published networks", subtitle, pictures, table([*contenders, *corners])),
        encoding="utf-8",
    )
    print("", *lines(contenders, corners, curves), f"picture: {page}", sep="\n")


COMMAND = Command(
    name="baselines",
    doc="the network searched for {} beside published ones",
    work=_compare,
    optional=start.KNOWN,
    serves=trains,
)
