"""From specs and stages to doit tasks."""

import json
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from doit import loader
from doit.exceptions import TaskFailed
from doit.tools import config_changed

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.progress import reporting
from mcubuild.store import digest_json
from rules import (
    accuracy,
    choose,
    codegen,
    dataset,
    finetune,
    firmware,
    importer,
    measure,
    quantize,
    reference,
    remote,
    report,
    scale,
    search,
    space,
    supernet,
    train,
    tune,
)
from rules.execute import clean, code_of, execute, template_files
from rules.resolve import resolve
from rules.stage import Resolved, Stage, pipeline

STAGES: tuple[Stage, ...] = (
    dataset.STAGE,
    space.STAGE,
    supernet.STAGE,
    search.STAGE,
    choose.STAGE,
    finetune.STAGE,
    scale.STAGE,
    train.STAGE,
    quantize.STAGE,
    importer.STAGE,
    reference.STAGE,
    tune.STAGE,
    codegen.STAGE,
    firmware.STAGE,
    accuracy.STAGE,
    measure.STAGE,
    remote.STAGE,
    report.STAGE,
)
"""In the order of the pipeline."""

BUILD = Path("build")
"""Results, a folder a spec; relative to the checkout, which doit makes the working directory."""
INTERRUPTED = "interrupted. The same command goes on from the last checkpoint."


def spec_files(chosen: str | None) -> list[Path]:
    """The spec files of ``spec=...``: names separated by commas, patterns allowed; all of specs/ by default.

    Raises:
        BuildError: a name matches no file, or two files have the same name.
    """
    if chosen is None:
        return sorted(Path("specs").glob("*.toml"))
    files: dict[str, Path] = {}
    for pattern in [name for name in chosen.split(",") if name] or [chosen]:
        wanted = Path(loader.initial_workdir or ".", pattern)
        matches = sorted(path for path in wanted.parent.glob(wanted.name) if path.is_file())
        if not matches:
            known = ", ".join(str(path) for path in sorted(Path("specs").glob("*.toml")))
            raise BuildError(f"spec={pattern}: there is no such file; specs of this checkout: {known}.")
        for path in (match.resolve() for match in matches):
            if files.setdefault(path.stem, path) != path:
                raise BuildError(
                    f"{path} and {files[path.stem]} have the same name; results would collide: rename one."
                )
    return [path.relative_to(ROOT) if path.is_relative_to(ROOT) else path for path in files.values()]


def named(chosen: str | None) -> set[str]:
    """The names of the specs that ``spec=...`` names itself, not by a pattern."""
    return {Path(name).stem for name in (chosen or "").split(",")}


def _listing(files: Mapping[str, Path]) -> str:
    """Digest of names, sizes and times: cheap, and enough to know that nothing was touched."""
    digest = sha256()
    for name, path in files.items():
        try:
            status = path.stat()
        except OSError:  # a link that leads nowhere, say: told by the stage that reads it
            continue
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _run(stage: Stage, resolved: Resolved) -> Any:
    name = resolved["spec"]["name"]
    try:
        with reporting(f"{stage.name}:{name}"):
            return dict(execute(stage, resolved, BUILD / name))
    except BuildError as error:
        return TaskFailed(str(error))
    except KeyboardInterrupt:
        return TaskFailed(INTERRUPTED)


def _stage_task(stage: Stage, resolved: Resolved) -> dict[str, Any]:
    name = resolved["spec"]["name"]
    folder = BUILD / name
    code, libraries = code_of(stage)
    state = {
        "settings": stage.selected(resolved),
        "libraries": libraries,
        "identities": stage.identities(resolved),
        "sources": _listing(stage.sources(resolved)),
    }
    return {
        "basename": stage.name,
        "name": name,
        "doc": f"{stage.doc} ({resolved['spec']['board']})",
        "actions": [(_run, [stage, resolved])],
        "file_dep": [
            *(str(folder / artifact) for artifact in stage.inputs),
            *(str(path.relative_to(ROOT)) for path in [*code, *template_files(stage)]),
        ],
        "targets": [str(folder / artifact) for artifact in stage.outputs],
        "uptodate": [config_changed(digest_json(state))],
        "clean": [(clean, [stage, folder])],
        "verbosity": 2,
    }


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


def tasks(specs: list[Path], named: Collection[str]) -> Iterator[dict[str, Any]]:
    """All doit tasks: a group a stage, and in it a task a spec, which for specs that are ``named`` may be a refusal.

    Raises:
        BuildError: a spec is not valid.
    """
    everything = [resolve(path, BUILD / ".specs") for path in specs]
    for stage in STAGES:
        yield {"basename": stage.name, "name": None, "doc": stage.doc}
    for resolved in everything:
        stages = {stage.name: stage for stage in pipeline(STAGES, resolved)}
        for stage in STAGES:
            if stage.name in stages:
                yield _stage_task(stages[stage.name], resolved)
            elif resolved["spec"]["name"] in named:
                yield _refusal(stage, resolved)
    yield {"basename": "build", "name": None, "doc": "firmware and report of every spec, judged against its budget"}
    for resolved in everything:
        name = resolved["spec"]["name"]
        folder = BUILD / name
        yield {
            "basename": "build",
            "name": name,
            "doc": f"firmware and report of {name} ({resolved['spec']['board']})",
            "actions": [(_judge, [folder])],
            "file_dep": [str(folder / "report.json")],
            "task_dep": [f"{stage.name}:{name}" for stage in pipeline(STAGES, resolved)],
            "uptodate": [False],
            "verbosity": 2,
        }
