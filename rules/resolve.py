"""From a spec file to validated JSON, remembered by content: pydantic is imported only when something changed."""

import json
import sys
from pathlib import Path

from mcubuild import ROOT
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
    code, _ = dependencies(ROOT / "mcubuild" / "spec" / "spec.py", ROOT, "mcubuild")
    files = [*code, *sorted((ROOT / "boards").glob("*.toml"))]
    state = [path.stem, digest_file(path) if path.is_file() else None, *map(digest_file, files)]
    remembered = memory / f"{path.stem}.json"
    if remembered.is_file():
        try:
            known = json.loads(remembered.read_text())
            if known["state"] == digest_json(state):
                found = {"spec": known["spec"], "board": known["board"]}
                if known["digest"] != digest_json(found):
                    raise ValueError
                return {**found, "folder": str(path.parent)}
        except (ValueError, KeyError, TypeError):
            print(f"  {remembered} is damaged; it is made again.", file=sys.stderr)

    from mcubuild.spec.spec import read_spec

    spec, board = read_spec(path)
    known = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    memory.mkdir(parents=True, exist_ok=True)
    temporary = remembered.with_suffix(".new")
    temporary.write_text(json.dumps({"state": digest_json(state), "digest": digest_json(known), **known}))
    temporary.replace(remembered)
    return {**known, "folder": str(path.parent)}
