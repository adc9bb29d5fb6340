"""From a spec file to validated JSON, remembered by content: pydantic is imported only when something changed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcubuild import ROOT
from mcubuild.errors import BuildError, reading, shown, tell
from mcubuild.project import files
from mcubuild.spec.own import FOLDER
from mcubuild.store import digest_file, digest_json
from rules.imports import dependencies
from rules.known import FILES
from rules.own_code import own_code
from rules.stage import Resolved, searches


def resolve(
    path: Path, memory: Path, starting: tuple[Path, ...] = (), changes: Mapping[str, str] | None = None
) -> Resolved:
    """The validated spec in ``path`` with its board, as JSON, and the spec that it starts from, likewise.

    Args:
        path: the TOML file.
        memory: folder that remembers results, by the content of spec, boards and of the code that validates.
        starting: the files of specs that start from this one, the first one first.
        changes: values that count instead of the spec's, by dotted keys.

    Raises:
        BuildError: the spec is not valid, or it cannot start from what it names.
    """
    resolved = {**_validated(path, memory, changes or {}), "folder": str(path.parent)}
    if resolved["spec"]["start"] is None:
        return resolved
    return {**resolved, "start": _start(path, resolved, memory, (*starting, placed(path)))}


def placed(path: Path) -> Path:
    """``path`` relative to the project if it is below that, else absolute; a link keeps its own name."""
    whole, project = path.parent.resolve() / path.name, Path.cwd()
    return whole.relative_to(project) if whole.is_relative_to(project) else whole


def _start(path: Path, resolved: Resolved, memory: Path, starting: tuple[Path, ...]) -> Resolved:
    """The spec that the one in ``path`` starts from.

    Raises:
        BuildError: it is not there, is not valid, has no super network, is for another task, or starts from this one.
    """
    name = resolved["spec"]["start"]
    found = f"{path}: start = {shown(name)}"
    other, exists = path.parent / (name if name.endswith(".toml") else f"{name}.toml"), False
    with suppress(OSError):  # the name may be too long for any file
        other = placed(other)
        exists = other.is_file()
    if not exists:
        beside = sorted(spec.stem for spec in path.parent.glob("*.toml") if spec != path)
        raise BuildError(
            f"{found}: there is no file {shown(str(other))}; write the name of a spec beside this one, or its path "
            f"from here. Beside it are: {', '.join(beside) or 'none'}."
        )
    if other in starting:
        circle = " -> ".join(spec.stem for spec in (*starting[starting.index(other) :], other))
        raise BuildError(f"{found}: no training can come first where specs start in a circle, {circle}; remove one.")
    if same := [spec for spec in starting if spec.stem == other.stem]:
        raise BuildError(f"{found}: {other} and {same[0]} have the same name; results would collide: rename one.")
    try:
        start = resolve(other, memory, starting)
    except BuildError as error:
        raise BuildError(f"{path}: start: {error}") from None
    if not searches(start):
        arch = start["spec"]["arch"]
        reason = "[model]" if arch is None else f'arch = "{arch}"'
        raise BuildError(
            f"{found}: {other} has {reason}, so it trains no super network to start from; name a spec with a search."
        )
    if start["spec"]["task"] != resolved["spec"]["task"]:
        raise BuildError(
            f'{found}: {other} has task = "{start["spec"]["task"]}", this spec task = "{resolved["spec"]["task"]}"; '
            f"name a spec with the same task."
        )
    return start


def _validated(path: Path, memory: Path, changes: Mapping[str, str]) -> dict[str, Any]:
    """The spec in ``path``, with ``changes``, and its board, as JSON."""
    code, libraries = dependencies(ROOT / "mcubuild" / "spec" / "spec.py", ROOT, "mcubuild", FILES)
    boards = files("boards/*.toml")
    with reading(path, "TOML"):
        digest = digest_file(path) if path.is_file() else None
        state = [
            path.stem,
            digest,
            *FILES.meanings((*code, *boards.values())),
            *map(str, boards.values()),
            *_kinds(),
            libraries,
            [*changes.items()],
        ]
    remembered = memory / f"{path.stem}.json"
    if remembered.is_file():
        try:
            known = json.loads(remembered.read_text())
            current = _is_current(known["board"]) and known["kind"] == _kind(known["spec"])
            if known["state"] == digest_json(state) and current:
                found = {"spec": known["spec"], "board": known["board"]}
                if known["digest"] != digest_json(found):
                    raise ValueError
                return found
        except Exception:  # whatever stands there
            tell(f"{remembered} is damaged; it is made again.")

    from mcubuild.spec.spec import read_spec

    spec, board = read_spec(path, changes)
    known = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    with suppress(OSError):  # without room to remember, the next command validates again
        memory.mkdir(parents=True, exist_ok=True)
        temporary = remembered.with_suffix(".new")
        vouch = {"state": digest_json(state), "digest": digest_json(known), "kind": _kind(known["spec"])}
        temporary.write_text(json.dumps({**vouch, **known}))
        temporary.replace(remembered)
    return known


def _is_current(board: Mapping[str, Any]) -> bool:
    """Whether the C file that the board names, if it names one, is as it was."""
    code: str | None = board["clock_code"]
    if code is None:
        return True
    path = files("boards/*.toml")[f"boards/{board['name']}.toml"].with_name(board["clock_setup"])
    return path.is_file() and path.read_bytes() == code.encode()


def _kinds() -> Iterator[str]:
    """The project's own kinds of data sets, and what their files mean."""
    files = sorted(FOLDER.glob("**/*.py"))
    yield from map(str, files)
    yield from FILES.meanings(files)


def _kind(spec: Mapping[str, Any]) -> list[str]:
    """What the code of the spec's kind of data set means, if mcubuild does not bring it."""
    return FILES.meanings(own_code({"spec": spec}).values())
