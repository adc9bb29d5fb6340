"""Builds of one spec beside each other, of its [matrix] or with other bits: printed after them, and in a page."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

from rules.stage import BUILD, Resolved, stem

TITLES = {
    "matrix": "every build of its [matrix]",
    "bits": "one super network and one budget, with other bits",
}
"""What builds are compared, by the name of the page."""


def note(resolved: Resolved) -> dict[str, Any]:
    """What the task of a build tells the reporter: what it is one of several of, and what is its own."""
    chosen = resolved.get("chosen")
    return {"of": (stem(resolved), resolved.get("page", "matrix")), "chosen": chosen} if chosen else {}


def show(spec: str, name: str, builds: Mapping[str, Mapping[str, Any]], made: Collection[str], out: IO[str]) -> None:
    """Print the table, and write build/<spec>/<name>.html where that is not what it has.

    Args:
        spec: the name of its file.
        name: of the page, one of TITLES.
        builds: what is each one's own, by name.
        made: those whose reports are current; others could not be built.
        out: where to print.
    """
    from mcubuild.report.variants import Variant, aligned, page, table

    def report(build: str) -> Any:
        return json.loads((BUILD / build / "report.json").read_text("utf-8")) if build in made else None

    found = [Variant(build, chosen, report(build)) for build, chosen in builds.items()]
    path, rows = BUILD / spec / f"{name}.html", table(found)
    if _shown(path.with_suffix(".json")) != rows or not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        links = {build: f"../{build}/report.html" for build in made}
        path.write_text(page(f"{spec}: {len(found)} builds", TITLES[name], found, links), encoding="utf-8")
        path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")
    print("", *aligned(rows), f"table: {path}", sep="\n", file=out)


def _shown(path: Path) -> Any:
    """What the page shows, as far as that is known."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
