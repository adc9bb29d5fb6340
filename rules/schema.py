"""The JSON schemas for editors: docs/*.schema.json, kept under version control."""

from pathlib import Path
from typing import Any

from mcubuild import ROOT
from rules.imports import dependencies

FOLDER = Path("docs")


def _write() -> None:
    from mcubuild.spec.schema import board_schema, spec_schema

    (FOLDER / "spec.schema.json").write_text(spec_schema())
    (FOLDER / "board.schema.json").write_text(board_schema())


def task() -> dict[str, Any]:
    """The doit task."""
    code, _ = dependencies(ROOT / "rules" / "schema.py", ROOT, "mcubuild")
    return {
        "doc": "JSON schemas of specs and boards, for editors",
        "actions": [(_write, [])],
        "file_dep": [str(path.relative_to(ROOT)) for path in code],
        "targets": [str(FOLDER / "spec.schema.json"), str(FOLDER / "board.schema.json")],
    }
