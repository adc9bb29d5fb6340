"""The JSON schemas of what users write and read: docs/*.schema.json, kept under version control."""

from pathlib import Path
from typing import Any

from mcubuild import ROOT
from rules.imports import dependencies
from rules.resolve import placed

FOLDER = Path("docs")


def _write() -> None:
    from mcubuild.report.schema import report_schema
    from mcubuild.spec.schema import board_schema, spec_schema

    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "spec.schema.json").write_text(spec_schema())
    (FOLDER / "board.schema.json").write_text(board_schema())
    (FOLDER / "report.schema.json").write_text(report_schema())


def task() -> dict[str, Any]:
    """The doit task."""
    code, _ = dependencies(ROOT / "rules" / "schema.py", ROOT, "mcubuild")
    return {
        "basename": "schema",
        "doc": "JSON schemas of specs, boards and reports",
        "actions": [(_write, [])],
        "file_dep": [str(placed(path)) for path in code],
        "targets": [str(FOLDER / f"{name}.schema.json") for name in ("spec", "board", "report")],
    }
