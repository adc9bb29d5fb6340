"""From a spec file to validated JSON, remembered by content: pydantic is imported only when something changed."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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
) -> list[Resolved]:
    """The validated builds of the spec in ``path`` with their boards, as JSON, and what they start from, likewise.

    Args:
        path: the TOML file.
        memory: folder that remembers results, by the content of spec, boards and of the code that validates.
        starting: the files of specs that start from this one, the first one first.
        changes: values that count instead of the spec's, by dotted keys.

    Raises:
        BuildError: the spec is not valid, or it cannot start from what it names.
    """
    builds, files = _validated(path, memory, changes or {})
    found = list[Resolved]()
    for one in builds:
        resolved = {**one, "folder": str(path.parent), "file": str(path), "files": files}
        if resolved["spec"]["start"] is not None:
            resolved["start"] = _start(path, resolved, memory, (*starting, placed(path)))
        found.append(resolved)
    return found


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
        start, *more = resolve(other, memory, starting)
    except BuildError as error:
        raise BuildError(f"{path}: start: {error}") from None
    if more:
        raise BuildError(f"{found}: {other} has a [matrix] of {1 + len(more)} builds; name a spec without one.")
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


def _validated(path: Path, memory: Path, changes: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The builds of the spec in ``path``, with ``changes`` and boards, as JSON; and the files that it is written in."""
    code, libraries = dependencies(ROOT / "mcubuild" / "spec" / "spec.py", ROOT, "mcubuild", FILES)
    boards = files("boards/*.toml")
    settled = [path.stem, *FILES.meanings((*code, *boards.values())), *map(str, boards.values()), *_kinds(), libraries]

    def state(written: Iterable[str]) -> str:
        """Of all that the result depends on, if these are the files that the spec is written in."""
        with reading(path, "TOML"):
            digests = [digest_file(Path(file)) if Path(file).is_file() else None for file in written]
        return digest_json([*settled, *digests, [*changes.items()]])

    remembered = memory / f"{path.stem}.json"
    if remembered.is_file():
        try:
            known = json.loads(remembered.read_text())
            found = {"builds": known["builds"], "files": known["files"]}
            current = all(_is_current(one["board"]) for one in known["builds"])
            current = current and known["kinds"] == [_kind(one["spec"]) for one in known["builds"]]
            if current and known["state"] == state(known["files"]):
                if known["digest"] != digest_json(found):
                    raise ValueError
                return found["builds"], found["files"]
        except Exception:  # whatever stands there
            tell(f"{remembered} is damaged; it is made again.")

    from mcubuild.spec.spec import read_builds

    builds, written = read_builds(path, changes)
    found = {
        "builds": [
            {"spec": one.spec.model_dump(mode="json"), "board": one.board.model_dump(mode="json"), "chosen": one.chosen}
            for one in builds
        ],
        "files": [*map(str, written)],
    }
    with suppress(OSError):  # without room to remember, the next command validates again
        memory.mkdir(parents=True, exist_ok=True)
        temporary = remembered.with_suffix(".new")
        kinds = [_kind(one["spec"]) for one in found["builds"]]
        vouch = {"state": state(found["files"]), "digest": digest_json(found), "kinds": kinds}
        temporary.write_text(json.dumps({**vouch, **found}))
        temporary.replace(remembered)
    return found["builds"], found["files"]


def bases(paths: Iterable[Path]) -> set[Path]:
    """Those of the spec files that others of them extend, and that say too little to be built themselves."""
    known = {path.resolve(): path for path in paths}
    said = {path: values for path in known if (values := _said(path))}
    extended = {
        (path.parent / str(values["extends"])).resolve() for path, values in said.items() if "extends" in values
    }
    return {known[path] for path in extended & said.keys() if not _is_whole(path, said)}


def _said(path: Path) -> dict[str, Any]:
    """The keys of the file, those of [matrix] among them; none if it is no TOML, which others tell."""
    with suppress(OSError, ValueError):
        values = tomllib.loads(path.read_text("utf-8"))
        matrix = values.get("matrix")
        return {**values, **(matrix if isinstance(matrix, dict) else {})}
    return {}


def _is_whole(path: Path, said: Mapping[Path, Mapping[str, Any]]) -> bool:
    """Whether the file, with those that it extends, says what a build cannot go without."""
    keys, seen = set[str](), set[Path]()
    while path in said and path not in seen:
        seen.add(path)
        keys |= said[path].keys()
        path = (path.parent / str(said[path].get("extends"))).resolve()
    return "board" in keys and ("model" in keys or {"task", "dataset"} <= keys)


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
