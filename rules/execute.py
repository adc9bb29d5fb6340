"""Running one stage: from the store if it was done before, anywhere; otherwise for real."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path

from mcubuild import ROOT, project
from mcubuild.errors import BuildError, printable, tell
from mcubuild.processor import floating_point
from mcubuild.shared import shared_store
from mcubuild.store import Store, digest_file, digest_json, disk_errors
from mcubuild.tasks import ROOMS
from rules import cluster, duration
from rules.history import Attempt, History
from rules.imports import FLOATING, dependencies
from rules.job import Job
from rules.known import FILES, Files, Made, listing, remove
from rules.resolve import placed
from rules.stage import Resolved, Stage

_JOB = ROOT / "rules" / "job.py"
_NAMED_FILES = 2000
"""Most files of the user whose names are kept, for messages, with what a result was made from."""
_PLACE = ".stage-"
"""Of the folder in which a stage works."""


def template_files(stage: Stage) -> dict[str, Path]:
    """The files besides mcubuild's Python that ``stage`` depends on, by names that are the same everywhere."""
    templates = {name: path for pattern in stage.templates for name, path in project.files(pattern).items()}
    return templates | dict(stage.own)


@cache
def code_of(stage: Stage) -> tuple[tuple[Path, ...], dict[str, str]]:
    """The source files that ``stage`` depends on, and the versions of the libraries that it uses."""
    module = ROOT.joinpath(*stage.run.__module__.split(".")).with_suffix(".py")
    files, libraries = dependencies(module, ROOT, "mcubuild", FILES, stage.task and ROOMS[stage.task])
    return (*files, _JOB), libraries


def arithmetic_of(stage: Stage) -> Mapping[str, object] | None:
    """What computes floating point, where the last bits of the result of ``stage`` depend on it."""
    _, libraries = code_of(stage)
    return floating_point() if FLOATING & libraries.keys() else None


@cache
def code_files(stage: Stage) -> dict[str, Path]:
    """The source files and templates that ``stage`` depends on, by names that are the same everywhere."""
    code, _ = code_of(stage)
    return {path.relative_to(ROOT).as_posix(): path for path in code} | template_files(stage)


@cache
def code_paths(stage: Stage) -> tuple[str, ...]:
    """Where ``code_files`` are: relative to the project if they are below that, else absolute."""
    root = placed(ROOT)
    return tuple(
        str(root / path.relative_to(ROOT) if path.is_relative_to(ROOT) else placed(path))
        for path in code_files(stage).values()
    )


@cache
def _loaded(stage: Stage, files: Files) -> dict[str, str]:
    """What ``code_files`` said when this process asked first: it runs what it has loaded."""
    return _code_now(stage, files)


def _code_now(stage: Stage, files: Files) -> dict[str, str]:
    named = code_files(stage)
    return dict(zip(named, files.meanings(named.values()), strict=True))


def _code(stage: Stage, resolved: Resolved, files: Files) -> Mapping[str, object]:
    """All code that the result of ``stage`` depends on, and what runs it."""
    _, libraries = code_of(stage)
    return {
        "stage": stage.name,
        "code": _loaded(stage, files),
        "libraries": libraries,
        "arithmetic": arithmetic_of(stage),
        "identities": stage.identities(resolved),
    }


def _check_code(stage: Stage, files: Files) -> None:
    """The code is still the one that this process has loaded.

    Raises:
        BuildError: somebody has edited it.
    """
    known, now = _loaded(stage, files), _code_now(stage, files)
    if edited := [name for name in known if known[name] != now[name]]:
        raise BuildError(f"{edited[0]}: was edited while this build ran; run the same command again.")


def action_key(stage: Stage, resolved: Resolved, folder: Path, files: Files) -> str:
    """What the result of ``stage`` depends on, as one SHA-256: equal keys mean equal bytes.

    Raises:
        BuildError: a file of the user cannot be read.
        OSError: an artifact that the stage reads is not there.
    """
    return key_of(ingredients(stage, resolved, _inputs(stage, resolved, folder, files), files))


def key_of(ingredients: Mapping[str, object]) -> str:
    """The action key of all that a result depends on."""
    return digest_json(ingredients)


def ingredients(stage: Stage, resolved: Resolved, inputs: Mapping[str, str], files: Files) -> dict[str, object]:
    """All that the result of ``stage`` depends on, where the artifacts that it reads have the SHA-256 of ``inputs``.

    Raises:
        BuildError: a file of the user cannot be read.
    """
    return {
        **_code(stage, resolved, files),
        "settings": stage.selected(resolved),
        "inputs": inputs,
        "sources": listing(source_digests(stage, resolved, files)),
    }


def _read(stage: Stage, resolved: Resolved, folder: Path, files: Files) -> Mapping[str, object]:
    """Digests of the artifacts and of the user's files that ``stage`` reads."""
    return {
        "inputs": _inputs(stage, resolved, folder, files),
        "sources": listing(source_digests(stage, resolved, files)),
    }


def _inputs(stage: Stage, resolved: Resolved, folder: Path, files: Files) -> dict[str, str]:
    digests = files.digests(stage.read(resolved, folder).values())
    return dict(zip(stage.inputs, digests, strict=True))


def source_digests(stage: Stage, resolved: Resolved, files: Files) -> dict[str, str]:
    """SHA-256 of the user's files that ``stage`` reads, by name.

    Raises:
        BuildError: one cannot be read.
    """
    sources = stage.sources(resolved)
    try:
        digests = files.digests(sources.values())
    except OSError as error:
        raise BuildError(f"{error.filename}: cannot be read ({error.strerror}); mend or remove it.") from None
    return dict(zip(sources, digests, strict=True))


def difference(stage: Stage, resolved: Resolved, folder: Path, files: Files) -> str | None:
    """None if ``folder`` holds what ``stage`` makes of what it reads now; else what is different, for the user."""
    try:
        key = action_key(stage, resolved, folder, files)
    except OSError as error:
        return printable(f"{error.filename}: {error.strerror}")
    except BuildError as error:
        return str(error)
    for name in stage.outputs:
        made = files.made(folder / name)
        if made is None or made.key != key:
            return "settings, tools, or files that it reads: they differ from those that its artifacts were made from"
        if not files.holds(folder / name, made):
            return f"{folder / name}: it is not what the stage made"
    return None


def _check_inputs(stage: Stage, resolved: Resolved, folder: Path, files: Files) -> None:
    """What earlier stages made is still as they made it.

    Raises:
        BuildError: an artifact was changed since doit has looked at the stage that made it.
    """
    for path in stage.read(resolved, folder).values():
        made = files.made(path)
        if made and not files.holds(path, made):
            raise BuildError(
                f"{path}: something else than the build has changed it meanwhile; mcubuild build restores it."
            )


def _check(stage: Stage, made: Path) -> None:
    missing = [name for name in stage.outputs if not (made / name).is_file()]
    if missing:
        raise RuntimeError(f"stage {stage.name} did not write {', '.join(missing)}")


def _tell_damage(stage: Stage, folder: Path, files: Files) -> None:
    for name in stage.outputs:
        made, path = files.made(folder / name), folder / name
        if made and os.path.lexists(path) and not files.holds(path, made):
            tell(f"{path}: not what {stage.name} made; it is made again.")


def _install(stage: Stage, key: str, made: Path, folder: Path, files: Files) -> None:
    files.record({folder / name: _made(made / name, key) for name in stage.outputs})
    for name in stage.outputs:
        target = folder / name
        if target.is_dir() or (target.parent.exists() and not target.parent.is_dir()):  # not what a build has made
            remove(target if target.is_dir() else target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        (made / name).chmod(0o644)  # the same whether it was built or comes from the store
        (made / name).replace(target)
    _remove_renamed(stage, folder, files)


def _remove_renamed(stage: Stage, folder: Path, files: Files) -> None:
    """Remove what builds made, before the spec gave it another name, in the folders that belong to ``stage``."""
    current = {folder / name for name in stage.outputs}
    for own in {path.parent for path in current} - {folder}:
        for path in own.iterdir():
            if path not in current and path.is_file() and files.made(path):
                path.unlink()


def _made(path: Path, key: str) -> Made:
    return Made(digest_file(path), path.stat().st_size, key)


def _declared(stage: Stage, resolved: Resolved, folder: Path, view: Path) -> Path:
    """The folder ``view`` with links to the artifacts that ``stage`` declares: it sees no others."""
    for name, path in stage.read(resolved, folder).items():
        (view / name).parent.mkdir(parents=True, exist_ok=True)
        (view / name).symlink_to(path.absolute())
    return view


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files of this process and of those that it starts lie in ``folder`` meanwhile, to be swept with it."""
    folder.mkdir()
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = before[0]
        os.environ.pop("TMPDIR")
        if before[1] is not None:
            os.environ["TMPDIR"] = before[1]


def job_of(stage: Stage, resolved: Resolved, inputs: Path, out: Path, work: Path, files: Files) -> Job:
    """What ``stage`` gets to run: what it reads is in ``inputs``, what it writes is to be in ``out``."""
    # Imported here: a build that finds everything in the store validates nothing.
    from mcubuild.board import Board
    from mcubuild.spec.spec import Spec

    return Job(
        inputs=inputs,
        names=stage.inputs,
        declared=stage.settings,
        spec=Spec.model_validate(stage.spec(resolved)),
        board=Board.model_validate(resolved["board"]).model_copy(update=stage.unseen(resolved)),
        identities=stage.identities(resolved),
        code=digest_json(_code(stage, resolved, files)),
        root=Path(resolved["folder"]),
        out=out,
        work=work,
    )


def execute(
    stage: Stage, resolved: Resolved, folder: Path, files: Files | None = None, history: History | None = None
) -> Mapping[str, str | float]:
    """Make the outputs of ``stage`` in ``folder``; they appear only when complete.

    Args:
        stage: what to do.
        resolved: for which spec.
        folder: holds the artifacts that the stage reads.
        files: knows what earlier stages made, and will know what this one did.
        history: will know what it was made from, and how long that took, or why it could not be made.

    Returns:
        ``origin``: "built", "store" or "shared", which several machines share; ``seconds``: wall time.

    Raises:
        BuildError: the user can do something about it.
    """
    start = time.monotonic()
    store, files = Store(), files or Files(None)
    shared = shared_store() if stage.stored else None
    with ExitStack() as stack:
        attempt = stack.enter_context(_attempt(stage, resolved, history))
        stack.enter_context(disk_errors(store.root))
        folder.mkdir(parents=True, exist_ok=True)
        _check_code(stage, files)
        stage.fetch(resolved)
        _check_inputs(stage, resolved, folder, files)
        _tell_damage(stage, folder, files)
        depends = ingredients(stage, resolved, _inputs(stage, resolved, folder, files), files)
        attempt.key = key = key_of(depends)
        stack.enter_context(store.lock(key, lambda: _waiting(stage, resolved)))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=f"{_PLACE}{stage.name}-")))
        made = place / "made"
        made.mkdir()
        origin, goes_on = "store", False
        if stage.stored and store.fetch(key, made, stage.outputs):
            shutil.rmtree(store.work(key))  # of a run that was killed after it had put the result there
        elif shared and shared.fetch(key, made, stage.outputs, place):
            origin = "shared"
            store.put(key, made, stage.outputs)
        else:
            origin = "built"
            view = _declared(stage, resolved, folder, place / "inputs")
            before = _read(stage, resolved, folder, files)
            with _temporary(place / "temporary"):
                if address := cluster.address_for(stage):
                    cluster.run(address, stage, resolved, depends, view, made)
                else:
                    work = store.work(key)
                    goes_on = any(work.iterdir())
                    job = job_of(stage, resolved, view, made, work, files)
                    with duration.told(stage, resolved, folder):
                        stage.run(job)
            if _read(stage, resolved, folder, files) != before:
                raise BuildError(f"{stage.name}: what it reads was changed meanwhile; run the same command again.")
            _check(stage, made)
            if stage.stored:
                store.put(key, made, stage.outputs)
            if shared:
                shared.push(key, made, stage.outputs, place)
        _install(stage, key, made, folder, files)
    seconds = round(time.monotonic() - start, 2)
    if history is not None:
        sources = source_digests(stage, resolved, files)
        kept = {"files": sources if len(sources) <= _NAMED_FILES else {}}
        history.note(key, {**depends, **kept}, code_files(stage))
        if origin == "built" and not goes_on:
            history.took(stage.name, resolved["spec"]["name"], key, seconds)
    return {"origin": origin, "seconds": seconds}


def _attempt(stage: Stage, resolved: Resolved, history: History | None) -> AbstractContextManager[Attempt]:
    return history.attempt(resolved["spec"]["name"], stage.name) if history else nullcontext(Attempt())


def _waiting(stage: Stage, resolved: Resolved) -> None:
    name = resolved["spec"]["name"]
    tell(f"{name}: another build is making the same {stage.name}; waiting for it.")


def clean(stage: Stage, folder: Path) -> None:
    """Remove the outputs of ``stage`` from ``folder``, and folders that this leaves empty; the store keeps them."""
    for name in stage.outputs:
        (folder / name).unlink(missing_ok=True)
        for parent in (folder / name).relative_to(folder).parents:
            empty = folder / parent
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


def sweep(folder: Path) -> None:
    """Remove what builds that were killed have left below ``folder``; none may be running."""
    for path, names, _ in os.walk(folder):
        for name in [name for name in names if name.startswith(_PLACE)]:
            shutil.rmtree(Path(path, name), ignore_errors=True)
            names.remove(name)
