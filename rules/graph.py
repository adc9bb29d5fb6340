"""From specs and stages to doit tasks."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit import loader
from doit.exceptions import TaskFailed

from mcubuild.errors import BuildError, NothingFitsError, printable, writing
from mcubuild.progress import reporting
from rules import matrix
from rules.arguments import asked_for
from rules.execute import clean, code_paths, difference, execute
from rules.history import History
from rules.known import FILES
from rules.resolve import bases, placed, resolve
from rules.stage import BUILD, START, Resolved, Stage, leading_to, maker, pipeline, starts, stem
from rules.stages import (
    accuracy,
    choose,
    codegen,
    data,
    dataset,
    finetune,
    firmware,
    forest,
    importer,
    margin,
    measure,
    outline,
    pace,
    plain,
    preprocess,
    quantize,
    race,
    reference,
    remote,
    report,
    rest,
    rung,
    scale,
    search,
    space,
    start,
    supernet,
    threshold,
    train,
    tune,
    widths,
)
from rules.streams import INTERRUPTED
from rules.workers import Unfit

STAGES: tuple[Stage, ...] = (
    dataset.STAGE,
    data.STAGE,
    outline.STAGE,
    margin.STAGE,
    space.STAGE,
    pace.STAGE,
    race.STAGE,
    rest.STAGE,
    start.STAGE,
    supernet.STAGE,
    search.STAGE,
    choose.STAGE,
    finetune.STAGE,
    scale.STAGE,
    train.STAGE,
    widths.STAGE,
    quantize.STAGE,
    threshold.STAGE,
    importer.STAGE,
    reference.STAGE,
    tune.STAGE,
    codegen.STAGE,
    firmware.STAGE,
    accuracy.STAGE,
    measure.STAGE,
    preprocess.STAGE,
    remote.STAGE,
    report.STAGE,
    plain.STAGE,
    forest.STAGE,
    rung.STAGE,
)
"""In the order of the pipeline."""

HISTORY = History()


def spec_files(chosen: str | None) -> list[Path]:
    """The spec files of ``spec=...``: names separated by commas, patterns allowed; all of specs/ by default.

    Raises:
        BuildError: a name matches no file, or two files have the same name.
    """
    if chosen is None:
        return _of_project()
    files: dict[str, Path] = {}
    for pattern in [name for name in chosen.split(",") if name] or [chosen]:
        wanted = Path(loader.initial_workdir or ".", pattern)
        if not wanted.exists() and Path("specs", f"{pattern}.toml").is_file():
            wanted = Path("specs", f"{pattern}.toml").absolute()
        found = [wanted] if wanted.is_file() else wanted.parent.glob(wanted.name)  # names may have brackets
        matches = sorted(path for path in found if path.is_file())
        if not matches:
            known = ", ".join(map(str, _of_project()))
            raise BuildError(f"spec={pattern}: there is no such file; specs of this project: {known}.")
        for path in map(placed, matches):
            if files.setdefault(path.stem, path) != path:
                raise BuildError(
                    f"{path} and {files[path.stem]} have the same name; results would collide: rename one."
                )
    return list(files.values())


def _of_project() -> list[Path]:
    """All of specs/, but for hidden files, such as editors make."""
    return sorted(path for path in Path("specs").glob("*.toml") if not path.name.startswith("."))


def named(chosen: str | None) -> set[str]:
    """The names of the specs that ``spec=...`` names itself, not by a pattern."""
    names = (chosen or "").split(",")
    return {name if Path("specs", f"{name}.toml").is_file() else Path(name).stem for name in names}


class Current:
    """Asks, for doit, whether a stage's artifacts are what it makes of what it reads now."""

    def __init__(self, stage: Stage, resolved: Resolved) -> None:
        self._stage, self._resolved = stage, resolved
        self._difference: str | None = None

    def __call__(self, task: Any, values: Any) -> bool:
        """Whether they are; doit passes its task and what that returned last."""
        folder = BUILD / self._resolved["spec"]["name"]
        self._difference = difference(self._stage, self._resolved, folder, FILES)
        return self._difference is None

    def __repr__(self) -> str:
        return self._difference or "nothing differs"  # doit info shows it


def _run(stage: Stage, resolved: Resolved) -> Any:
    name = resolved["spec"]["name"]
    try:
        with reporting(f"{stage.name}:{name}"):
            with writing(BUILD / name):
                (BUILD / name).mkdir(parents=True, exist_ok=True)
            return dict(execute(stage, resolved, BUILD / name, FILES, HISTORY))
    except BuildError as error:
        unfit = isinstance(error, NothingFitsError) and resolved.get("part")
        return Unfit(str(error)) if unfit else TaskFailed(str(error))
    except KeyboardInterrupt:
        return TaskFailed(INTERRUPTED)


def _stage_task(stage: Stage, resolved: Resolved) -> dict[str, Any]:
    name = resolved["spec"]["name"]
    folder = BUILD / name
    return {
        "basename": stage.name,
        "name": name,
        "doc": f"{stage.doc} ({resolved['spec']['board']})",
        "actions": [(_run, [stage, resolved])],
        "file_dep": [*map(str, stage.read(resolved, folder).values()), *code_paths(stage)],
        "task_dep": _first(stage, resolved),
        "targets": [f"{folder}/{artifact}" for artifact in stage.outputs],
        "uptodate": [Current(stage, resolved)],
        "clean": [(clean, [stage, folder])],
        "verbosity": 2,
    }


def _first(stage: Stage, resolved: Resolved) -> list[str]:
    """What is done before ``stage``, though it reads nothing of it: where anything that is asked for needs the data of
    a spec, nothing else of it is begun without.
    """
    if not stage.needless(resolved):
        return []
    stages = {one.name: one for one in pipeline(STAGES, resolved)}
    asked = {word.partition(":")[0] for word in asked_for()} or {"build"}
    wanted = {artifact for name in asked & stages.keys() for artifact in stages[name].outputs}
    needed = {one.name for one in leading_to(wanted, [*stages.values()])} | (asked - stages.keys())
    whole = f"{dataset.STAGE.name}:{maker(dataset.INDEX, resolved)}"
    return [] if needed <= stages.keys() - {dataset.STAGE.name} else [whole]


def _refusal(stage: Stage, resolved: Resolved) -> dict[str, Any]:
    """The task of a stage that the spec does not have, for those who ask for it."""
    name = resolved["spec"]["name"]
    stages = ", ".join(has.name for has in pipeline(STAGES, resolved))
    told = f"the build of this spec has no such stage; it has {stages}: ask for one of them, or for the whole build."
    return {
        "basename": stage.name,
        "name": name,
        "doc": f"no stage of {name}",
        "actions": [lambda: TaskFailed(told)],
        "verbosity": 2,
    }


def _judge(folder: Path) -> Any:
    report = json.loads((folder / "report.json").read_text())
    if report["verdict"] != "pass":
        return TaskFailed(f"the budget is broken: {'; '.join(report['reasons'])}.")
    return {"cautions": len(report["cautions"])}


def read_specs(
    files: Iterable[Path], named: Collection[str], changes: Mapping[str, str] | None = None
) -> tuple[list[Resolved], dict[str, str]]:
    """The specs that are valid, with ``changes`` of their keys, and of the others, by name, why they are not.

    Raises:
        BuildError: a spec that is ``named`` is not valid.
    """
    valid, broken = list[Resolved](), dict[str, str]()
    files = list(files)
    owners, partial = {path.stem: path for path in files}, bases(files)
    for path in files:
        if path in partial and path.stem not in named:
            continue
        try:
            builds = resolve(path, BUILD / ".specs", changes=changes)
            for resolved in builds:
                for one, stages in ((resolved, pipeline(STAGES, resolved)), *started(resolved)):
                    name, file = one["spec"]["name"], Path(one["file"])
                    if owners.setdefault(name, file) != file:
                        origin = f"{path}: start: " if one is not resolved else ""
                        same = "have the same name" if file.stem == name else f"make the same build, {name}"
                        raise BuildError(
                            f"{origin}{file} and {owners[name]} {same}; results would collide: rename one."
                        )
                    for stage in stages:
                        stage.identities(one)  # its tools are there
            valid += builds
        except BuildError as error:
            if path.stem in named:
                raise
            broken[printable(path.stem)] = "; ".join(str(error).split("\n"))
    return valid, broken


def without_data(specs: Iterable[Resolved]) -> dict[str, str]:
    """Why the data of a spec, or of those that it starts from, cannot be read before it is fetched: by name."""
    found = dict[str, str]()
    for resolved in specs:
        told = [dataset.missing(one) for one in (resolved, *(one for one, _ in started(resolved)))]
        if reasons := [reason for reason in told if reason is not None]:
            found[resolved["spec"]["name"]] = reasons[0]
    return found


def started(resolved: Resolved) -> Iterator[tuple[Resolved, Sequence[Stage]]]:
    """The spec that ``resolved`` starts from, that which this one starts from, ..., each with the stages it takes."""
    while starts(resolved):
        reads = {name for stage in pipeline(STAGES, resolved) for name in stage.inputs if name.startswith(START)}
        resolved = resolved["start"]
        yield resolved, leading_to({name.removeprefix(START) for name in reads}, pipeline(STAGES, resolved))


def broken_task(basename: str, name: str, reason: str) -> dict[str, Any]:
    """A task that fails, in the place of one for a spec that is not valid: the others are built, and it is told."""
    return {
        "basename": basename,
        "name": name,
        "doc": "a spec that is not valid",
        "actions": [lambda: TaskFailed(reason)],
        "uptodate": [False],
        "verbosity": 2,
    }


def tasks(specs: Iterable[Resolved], broken: Mapping[str, str], named: Collection[str]) -> Iterator[dict[str, Any]]:
    """All doit tasks: a group a stage, and in it a task a spec, which for specs that are ``named`` may be a refusal.

    Specs that others start from have the tasks that this takes, at least.
    """
    for stage in STAGES:
        yield {"basename": stage.name, "name": None, "doc": stage.doc}
    listed = {resolved["spec"]["name"] for resolved in specs}
    for other, needed in (one for resolved in specs for one in started(resolved)):
        if other["spec"]["name"] not in listed:
            listed.add(other["spec"]["name"])
            alone = {**other, "stages": [stage.name for stage in needed]}
            yield from (_stage_task(stage, alone) for stage in pipeline(STAGES, alone))
    for resolved in specs:
        stages = {stage.name: stage for stage in pipeline(STAGES, resolved)}
        for stage in STAGES:
            if stage.name in stages:
                yield _stage_task(stages[stage.name], resolved)
            elif stem(resolved) in named and not resolved.get("part"):
                yield _refusal(stage, resolved)
    yield {"basename": "build", "name": None, "doc": "firmware and report of every spec, judged against its budget"}
    for resolved in (one for one in specs if not one.get("part")):
        name = resolved["spec"]["name"]
        folder = BUILD / name
        yield {
            "basename": "build",
            "name": name,
            "doc": f"firmware and report of {name} ({resolved['spec']['board']})",
            "actions": [(_judge, [folder])],
            "file_dep": [str(folder / "report.json")],
            "task_dep": [f"{stage.name}:{name}" for stage in pipeline(STAGES, resolved)],
            "meta": matrix.note(resolved),
            "uptodate": [False],
            "verbosity": 2,
        }
    for name, reason in broken.items():
        for basename in (*(stage.name for stage in STAGES), "build"):
            yield broken_task(basename, name, reason)
