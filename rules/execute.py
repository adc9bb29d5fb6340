"""Running one stage: from the store if it was done before, anywhere; otherwise for real."""

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.processor import floating_point
from mcubuild.store import Store, digest_file, digest_json, disk_errors
from rules import duration
from rules.imports import FLOATING, dependencies
from rules.stage import Job, Resolved, Stage


def template_files(stage: Stage) -> list[Path]:
    """The files besides Python's that ``stage`` depends on, sorted."""
    return sorted(path for pattern in stage.templates for path in ROOT.glob(pattern) if path.is_file())


def code_of(stage: Stage) -> tuple[tuple[Path, ...], dict[str, str]]:
    """The source files that ``stage`` depends on, and the versions of the libraries that it uses."""
    module = ROOT.joinpath(*stage.run.__module__.split(".")).with_suffix(".py")
    return dependencies(module, ROOT, "mcubuild")


def arithmetic_of(stage: Stage) -> Mapping[str, object] | None:
    """What computes floating point, where the last bits of the result of ``stage`` depend on it."""
    _, libraries = code_of(stage)
    return floating_point() if FLOATING & libraries.keys() else None


def _code(stage: Stage, resolved: Resolved) -> Mapping[str, object]:
    """All code that the result of ``stage`` depends on, and what runs it."""
    code, libraries = code_of(stage)
    return {
        "stage": stage.name,
        "code": {path.relative_to(ROOT).as_posix(): digest_file(path) for path in [*code, *template_files(stage)]},
        "libraries": libraries,
        "arithmetic": arithmetic_of(stage),
        "identities": stage.identities(resolved),
    }


def action_key(stage: Stage, resolved: Resolved, folder: Path) -> str:
    """What the result of ``stage`` depends on, as one SHA-256: equal keys mean equal bytes."""
    return digest_json(
        {
            **_code(stage, resolved),
            "settings": stage.selected(resolved),
            "inputs": {name: digest_file(folder / name) for name in stage.inputs},
            "sources": {name: None if path.is_dir() else _read(path) for name, path in stage.sources(resolved).items()},
        }
    )


def _read(path: Path) -> str:
    """Digest of a file of the user.

    Raises:
        BuildError: it cannot be read.
    """
    try:
        return digest_file(path)
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}); mend or remove it.") from None


def _check(stage: Stage, made: Path) -> None:
    missing = [name for name in stage.outputs if not (made / name).is_file()]
    if missing:
        raise RuntimeError(f"stage {stage.name} did not write {', '.join(missing)}")


def _install(stage: Stage, made: Path, folder: Path) -> None:
    for name in stage.outputs:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).chmod(0o644)  # the same whether it was built or comes from the store
        (made / name).replace(folder / name)


def execute(stage: Stage, resolved: Resolved, folder: Path) -> Mapping[str, str | float]:
    """Make the outputs of ``stage`` in ``folder``; they appear only when complete.

    Returns:
        ``origin``: "built" or "store"; ``seconds``: wall time.

    Raises:
        BuildError: the user can do something about it.
    """
    start = time.monotonic()
    store = Store()
    with ExitStack() as stack:
        stack.enter_context(disk_errors(store.root))
        folder.mkdir(parents=True, exist_ok=True)
        key = action_key(stage, resolved, folder)
        stack.enter_context(store.lock(key, lambda: _waiting(stage, resolved)))
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=f".{stage.name}-")))
        origin = "store"
        if not (stage.stored and store.fetch(key, made, stage.outputs)):
            origin = "built"
            # Imported here: a build that finds everything in the store validates nothing.
            from mcubuild.board import Board
            from mcubuild.spec.spec import Spec

            duration.announce(stage, resolved, folder)
            work = store.work(key)
            stage.run(
                Job(
                    inputs=folder,
                    names=stage.inputs,
                    declared=stage.settings,
                    spec=Spec.model_validate(stage.spec(resolved)),
                    board=Board.model_validate(resolved["board"]).model_copy(update=stage.unseen(resolved)),
                    identities=stage.identities(resolved),
                    code=digest_json(_code(stage, resolved)),
                    root=Path(resolved["folder"]),
                    out=made,
                    work=work,
                )
            )
            _check(stage, made)
            if stage.stored:
                store.put(key, made, stage.outputs)
        _install(stage, made, folder)
    return {"origin": origin, "seconds": round(time.monotonic() - start, 2)}


def _waiting(stage: Stage, resolved: Resolved) -> None:
    name = resolved["spec"]["name"]
    print(f"  {name}: another build is making the same {stage.name}; waiting for it.", file=sys.stderr, flush=True)


def clean(stage: Stage, folder: Path) -> None:
    """Remove the outputs of ``stage`` from ``folder``, and folders that this leaves empty; the store keeps them."""
    for name in stage.outputs:
        (folder / name).unlink(missing_ok=True)
        for parent in (folder / name).relative_to(folder).parents:
            empty = folder / parent
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()
    for leftover in folder.glob(f".{stage.name}-*"):
        shutil.rmtree(leftover)
