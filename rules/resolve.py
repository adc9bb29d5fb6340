"""From a spec file to validated JSON, remembered by content: pydantic is imported only when something changed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcubuild import ROOT
from mcubuild.errors import reading, tell
from mcubuild.store import digest_file, digest_json
from rules.imports import dependencies
from rules.stage import Resolved


def resolve(path: Path, memory: Path) -> Resolved:
    """The validated spec in ``path`` with its board, as JSON.

    Args:
        path: the TOML file.
        memory: folder that remembers results, by the content of spec, boards and of the code that validates.

    Raises:
        BuildError: the spec is not valid.
    """
    code, libraries = dependencies(ROOT / "mcubuild" / "spec" / "spec.py", ROOT, "mcubuild")
    boards = sorted(board for board in (ROOT / "boards").glob("*.toml") if board.is_file())
    with reading(path, "TOML"):
        digest = digest_file(path) if path.is_file() else None
        state = [path.stem, digest, *map(digest_file, (*code, *boards)), libraries]
    remembered = memory / f"{path.stem}.json"
    if remembered.is_file():
        try:
            known = json.loads(remembered.read_text())
            if known["state"] == digest_json(state) and _is_current(known["board"]):
                found = {"spec": known["spec"], "board": known["board"]}
                if known["digest"] != digest_json(found):
                    raise ValueError
                return {**found, "folder": str(path.parent)}
        except Exception:  # whatever stands there
            tell(f"{remembered} is damaged; it is made again.")

    from mcubuild.spec.spec import read_spec

    spec, board = read_spec(path)
    known = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    with suppress(OSError):  # without room to remember, the next command validates again
        memory.mkdir(parents=True, exist_ok=True)
        temporary = remembered.with_suffix(".new")
        temporary.write_text(json.dumps({"state": digest_json(state), "digest": digest_json(known), **known}))
        temporary.replace(remembered)
    return {**known, "folder": str(path.parent)}


def _is_current(board: Mapping[str, Any]) -> bool:
    """Whether the C file that the board names, if it names one, is as it was."""
    code: str | None = board["clock_code"]
    if code is None:
        return True
    path: Path = ROOT / "boards" / board["clock_setup"]
    return path.is_file() and path.read_bytes() == code.encode()
