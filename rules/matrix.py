"""The builds that a spec with [matrix] stands for beside each other: printed after them, and in a page."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

from rules.stage import BUILD, Resolved, stem

PAGE = "matrix.html"


def note(resolved: Resolved) -> dict[str, Any]:
    """What the task of a build tells the reporter: the spec that it is one of several of, and what is its own."""
    chosen = resolved.get("chosen")
    return {"spec": stem(resolved), "chosen": chosen} if chosen else {}


def show(spec: str, builds: Mapping[str, Mapping[str, Any]], made: Collection[str], out: IO[str]) -> None:
    """Print the table, and write build/<spec>/matrix.html where that is not what it has.

    Args:
        spec: the name of its file.
        builds: what [matrix] gives each, by name.
        made: those whose reports are current; others could not be built.
        out: where to print.
    """
    from mcubuild.report.variants import Variant, aligned, page, table

    def report(name: str) -> Any:
        return json.loads((BUILD / name / "report.json").read_text("utf-8")) if name in made else None

    found = [Variant(name, chosen, report(name)) for name, chosen in builds.items()]
    path, rows = BUILD / spec / PAGE, table(found)
    if _shown(path.with_suffix(".json")) != rows or not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        links = {name: f"../{name}/report.html" for name in made}
        text = page(f"{spec}: {len(found)} builds", "every build of its [matrix]", found, links)
        path.write_text(text, encoding="utf-8")
        path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")
    print("", *aligned(rows), f"table: {path}", sep="\n", file=out)


def _shown(path: Path) -> Any:
    """What the page shows, as far as that is known."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
