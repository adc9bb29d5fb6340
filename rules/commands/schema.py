"""What of docs/ is written from the code and kept under version control: schemas, references, the list of operators."""

from pathlib import Path
from typing import Any

from doit.tools import config_changed

from mcubuild import ROOT
from mcubuild.store import digest_json
from rules.imports import dependencies
from rules.known import FILES

FOLDER = Path("docs")


def _write() -> None:
    from mcubuild.importers.support import operators_page
    from mcubuild.report.schema import report_schema
    from mcubuild.spec.reference import board_page, spec_page
    from mcubuild.spec.schema import board_schema, spec_schema

    (FOLDER / "reference").mkdir(parents=True, exist_ok=True)
    (FOLDER / "spec.schema.json").write_text(spec_schema())
    (FOLDER / "board.schema.json").write_text(board_schema())
    (FOLDER / "report.schema.json").write_text(report_schema())
    (FOLDER / "reference" / "spec.md").write_text(spec_page())
    (FOLDER / "reference" / "board.md").write_text(board_page())
    (FOLDER / "operators.md").write_text(operators_page())


def task() -> dict[str, Any]:
    """The doit task."""
    code, _ = dependencies(Path(__file__), ROOT, "mcubuild", FILES)
    return {
        "basename": "schema",
        "doc": "JSON schemas of specs, boards and reports, the references in docs/, and the list of operators",
        "actions": [(_write, [])],
        "uptodate": [config_changed(digest_json(FILES.digests(code)))],  # docstrings are what it writes
        "targets": [
            *(str(FOLDER / f"{name}.schema.json") for name in ("spec", "board", "report")),
            *(str(FOLDER / f"{name}.md") for name in ("reference/spec", "reference/board", "operators")),
        ],
    }
