"""How far estimates of cycles are off in the space of a spec: ``doit latency spec=<file> [networks=N]``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules import space
from rules.arguments import whole_number
from rules.bench import run, show_estimates, workbench
from rules.graph import BUILD
from rules.resolve import resolve
from rules.stage import Resolved, searches

_NETWORKS = 50


def _measure(resolved: Resolved) -> None:
    from mcubuild.bench.latency import estimates, within_budget
    from mcubuild.board import Board
    from mcubuild.nas.files import read_space
    from mcubuild.spec.spec import Spec

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    folder, count = BUILD / spec.name, whole_number("networks", _NETWORKS)
    cases = within_budget(read_space(folder / "space.json"), spec, board, count)
    found = estimates(cases, workbench(spec.firmware))
    show_estimates(f"{spec.name}: estimated against emulated cycles", found, folder / "latency.html")


def tasks(specs: list[Path]) -> Iterator[dict[str, Any]]:
    """A doit task for each spec that has a search.

    Raises:
        BuildError: a spec is not valid.
    """
    yield {"basename": "latency", "name": None, "doc": "how far estimates of cycles are off: [networks=N]"}
    for resolved in filter(searches, (resolve(path, BUILD / ".specs") for path in specs)):
        name = resolved["spec"]["name"]
        yield {
            "basename": "latency",
            "name": name,
            "doc": f"how far estimates of cycles are off in the search space of {name}",
            "actions": [(run, [f"latency:{name}", lambda resolved=resolved: _measure(resolved)])],
            "file_dep": [str(BUILD / name / artifact) for artifact in space.STAGE.outputs],
            "uptodate": [False],
            "verbosity": 2,
        }
