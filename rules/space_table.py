"""The search spaces of a spec, ranked: ``doit space spec=<file>`` shows them once they have been compared."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules import space
from rules.bench import run
from rules.graph import BUILD
from rules.resolve import resolve
from rules.stage import searches


def _show(name: str) -> None:
    from mcubuild.report.figures import render
    from mcubuild.report.space import cdf_plot, limits, lines, nothing_fits, ranked

    folder = BUILD / name
    table = json.loads((folder / "space_table.json").read_text(encoding="utf-8"))
    page = folder / "space.html"
    subtitle = " ".join(filter(None, [f"{table['axes']}.", limits(table), nothing_fits(table)]))
    page.write_text(render(f"{name}: search spaces", subtitle, [cdf_plot(table)], ranked(table)), encoding="utf-8")
    print("", *lines(table), f"picture: {page}", sep="\n")


def tasks(specs: list[Path]) -> Iterator[dict[str, Any]]:
    """A doit task a spec that has a search.

    Raises:
        BuildError: a spec is not valid.
    """
    for resolved in filter(searches, (resolve(path, BUILD / ".specs") for path in specs)):
        name = resolved["spec"]["name"]
        yield {
            "basename": space.STAGE.name,
            "name": f"{name}/table",
            "doc": f"the search spaces of {name}, ranked",
            "actions": [(run, [f"space:{name}/table", lambda name=name: _show(name)])],
            "file_dep": [str(BUILD / name / artifact) for artifact in space.STAGE.outputs],
            "uptodate": [False],
            "verbosity": 2,
        }
